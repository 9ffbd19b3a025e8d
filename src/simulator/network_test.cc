#include "simulator/network.h"

#include <gtest/gtest.h>

#include <map>

namespace cinnabar::simulator {
namespace {

class Listener final : public NetworkUser {
 public:
  void OnAccepted(ConnectionId connection, int) override { accepted = connection; }
  void OnConnected(ConnectionId connection) override { connected = connection; }
  void OnBytes(ConnectionId connection, std::string_view bytes) override {
    text[connection] += bytes;
    ++pieces;
  }
  void OnWritable(ConnectionId) override { ++writable; }
  void OnClosed(ConnectionId connection) override { closed = connection; }

  ConnectionId accepted = 0, connected = 0, closed = 0;
  int pieces = 0, writable = 0;
  std::map<ConnectionId, std::string> text;
};

class NetworkTest : public ::testing::Test {
 protected:
  NetworkTest() {
    network_.SetUser(0, &a_);
    network_.SetUser(1, &b_);
  }
  void Run(Millis millis) { events_.RunUntil(events_.now() + millis); }
  ConnectionId Connected() {
    const ConnectionId id = network_.Connect(0, 1);
    Run(2000);
    EXPECT_EQ(a_.connected, id);
    EXPECT_EQ(b_.accepted, id);
    return id;
  }

  EventQueue events_;
  Random random_{1};
  Network network_{events_, random_, 3};
  Listener a_, b_;
};

TEST_F(NetworkTest, BytesArriveInOrderInBothDirections) {
  const ConnectionId id = Connected();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece = std::to_string(i) + ",";
    sent += piece;
    network_.Send(id, 0, piece);
    network_.Send(id, 1, piece);
    Run(3);
  }
  EXPECT_GT(network_.Underway(id, 0), 0u);
  network_.Close(id, 0);
  Run(10'000);
  EXPECT_EQ(b_.text[id], sent);
  EXPECT_GT(b_.pieces, 200);
  EXPECT_EQ(b_.closed, id);
  EXPECT_EQ(sent.find(a_.text[id]), 0u);  // what came after it had closed is nobody's
}

TEST_F(NetworkTest, ABlockedWayDelaysAndTheOtherDoesNot) {
  const ConnectionId id = Connected();
  network_.Block(0, 1, events_.now() + 10'000);
  network_.Send(id, 0, "there");
  network_.Send(id, 1, "back");
  Run(5000);
  EXPECT_EQ(b_.text[id], "");
  EXPECT_EQ(a_.text[id], "back");
  Run(10'000);
  EXPECT_EQ(b_.text[id], "there");
}

TEST_F(NetworkTest, NobodyAnswersWhereNothingRuns) {
  const ConnectionId id = network_.Connect(0, 2);
  Run(5000);
  EXPECT_EQ(a_.connected, 0u);
  EXPECT_EQ(a_.closed, id);
}

TEST_F(NetworkTest, WhatIsCutLosesItsTailOnly) {
  int whole = 0, lost = 0;
  for (int round = 0; round < 100; ++round) {
    const ConnectionId id = Connected();
    const std::string sent(1000, static_cast<char>('a' + round % 26));
    for (size_t i = 0; i < sent.size(); i += 100) network_.Send(id, 0, sent.substr(i, 100));
    network_.CutAny();
    Run(10'000);
    EXPECT_EQ(sent.substr(0, b_.text[id].size()), b_.text[id]);
    EXPECT_EQ(b_.closed, id);
    EXPECT_EQ(a_.closed, id);
    (b_.text[id] == sent ? whole : lost) += 1;
  }
  EXPECT_GT(whole, 0);
  EXPECT_GT(lost, 50);
}

TEST_F(NetworkTest, SomeDeathsAreNeverHeardOf) {
  int heard = 0, silent = 0;
  for (int round = 0; round < 50; ++round) {
    const ConnectionId id = Connected();
    network_.Crash(1);
    Run(10'000);
    (a_.closed == id ? heard : silent) += 1;
    network_.SetUser(1, &b_);
  }
  EXPECT_GT(heard, 10);
  EXPECT_GT(silent, 3);
}

}  // namespace
}  // namespace cinnabar::simulator
