#include "server/held_replies.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

namespace cinnabar::server {
namespace {

class HeldRepliesTest : public testing::Test {
 protected:
  Connection& Make(uint64_t hold_until) {
    connections_.push_back(std::make_unique<Connection>(connections_.size() + 1,
                                                        OutputBuffer(OutputBuffer::kFixedBytesMin), nullptr));
    connections_.back()->session.hold_until = hold_until;
    return *connections_.back();
  }
  Connection& Hold(uint64_t hold_until) {
    Connection& connection = Make(hold_until);
    held_.Hold(connection);
    held_.Announce();
    return connection;
  }
  std::vector<uint64_t> LetGo() {
    sent_.clear();
    held_.LetGo([this] { return released_; },
                [this](Connection& connection) { sent_.push_back(connection.session.id); });
    return sent_;
  }
  using Ids = std::vector<uint64_t>;

  std::deque<std::unique_ptr<Connection>> connections_;
  HeldReplies held_;
  uint64_t released_ = 0;
  Ids sent_;
};

TEST_F(HeldRepliesTest, LetsThoseGoWhoseGateIsReached) {
  Connection& first = Hold(10);
  Hold(30);
  Hold(20);
  released_ = 9;
  EXPECT_EQ(LetGo(), Ids{});
  EXPECT_TRUE(first.StandsIn(Place::kHeld));
  released_ = 20;
  EXPECT_EQ(LetGo(), (Ids{1, 3}));
  EXPECT_FALSE(first.StandsIn(Place::kHeld));
  EXPECT_TRUE(held_.any());
  released_ = 30;
  EXPECT_EQ(LetGo(), Ids{2});
  EXPECT_FALSE(held_.any());
}

TEST_F(HeldRepliesTest, HoldsAConnectionOnce) {
  Connection& connection = Hold(10);
  connection.session.hold_until = 50;  // of its next reply
  held_.Hold(connection);
  released_ = 10;
  EXPECT_EQ(LetGo(), Ids{1}) << "its offset is looked at anew when it is sent";
  EXPECT_EQ(LetGo(), Ids{});
}

TEST_F(HeldRepliesTest, ForgetsOneThatGoes) {
  Connection& first = Hold(10);
  Hold(10);
  held_.Forget(first);
  held_.Forget(first);
  released_ = 10;
  EXPECT_EQ(LetGo(), Ids{2});
}

// Sending to one may close another one that is to come.
TEST_F(HeldRepliesTest, OneThatGoesMeanwhileIsNotVisited) {
  Hold(10);
  Connection& second = Hold(10);
  Hold(10);
  Ids sent;
  held_.LetGo([] { return uint64_t{10}; },
              [&](Connection& connection) {
                sent.push_back(connection.session.id);
                held_.Forget(second);
              });
  EXPECT_EQ(sent, (Ids{1, 3}));
}

TEST_F(HeldRepliesTest, OneThatMustWaitAgainIsHeldAgain) {
  Connection& connection = Hold(10);
  held_.LetGo([] { return uint64_t{10}; },
              [&](Connection& sent) {
                sent.session.hold_until = 20;
                held_.Hold(sent);
              });
  EXPECT_TRUE(connection.StandsIn(Place::kHeld));
  EXPECT_TRUE(held_.any());
  released_ = 20;
  EXPECT_EQ(LetGo(), Ids{1});
}

// What is released while it lets some go is looked at before it says that some are left.
TEST_F(HeldRepliesTest, LooksAgainAfterItHasSaidThatSomeWait) {
  Hold(10);
  Hold(20);
  Ids sent;
  uint64_t released = 10;
  held_.LetGo([&] { return released; },
              [&](Connection& connection) {
                sent.push_back(connection.session.id);
                released = 20;
              });
  EXPECT_EQ(sent, (Ids{1, 2}));
  EXPECT_FALSE(held_.any());
}

}  // namespace
}  // namespace cinnabar::server
