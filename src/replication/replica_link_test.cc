#include "replication/replica_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/random.h"
#include "protocol/encode_command.h"

namespace cinnabar::replication {
namespace {

using State = ReplicaLink::State;

std::string Encoded(std::initializer_list<std::string_view> words) {
  std::string text;
  protocol::EncodeCommand(std::span<const std::string_view>(words.begin(), words.size()), text);
  return text;
}

class RecordingPort final : public ReplicaLinkPort {
 public:
  void Connect() override { events += "connect;"; }
  void Send(std::string_view bytes) override { sent += bytes; }
  void Close(std::string_view reason) override { (events += "close: ") += std::string(reason) + ";"; }
  void Continue(const ReplicationId& id) override { (events += "continue ") += std::string(id.text()) + ";"; }
  void BeginLoad(const Payload& next) override {
    payload = next;
    loaded.clear();
    events += "begin;";
  }
  void LoadBytes(std::string_view bytes) override { loaded += bytes; }
  void EndLoad() override { events += "end;"; }
  OldData AbortLoad() override {
    events += "abort;";
    return old_data;
  }
  void Apply(std::string_view bytes) override { stream += bytes; }
  void TakeOverAnswered(bool accepted) override { events += accepted ? "taken over;" : "rejected;"; }

  std::string Events() { return std::exchange(events, {}); }
  std::string Sent() { return std::exchange(sent, {}); }

  std::string events, sent, loaded, stream;
  Payload payload;
  OldData old_data = OldData::kKept;
};

class ReplicaLinkTest : public ::testing::Test {
 protected:
  ReplicaLinkTest() { link_.settings().listening_port = 7000; }

  void Connect() {
    now_ += 1000;
    link_.OnTick(now_);
    ASSERT_EQ(port_.Events(), "connect;");
    link_.Connected(now_);
    ASSERT_EQ(port_.Sent(), Encoded({"PING"}));
  }
  // Up to PSYNC, whose text it returns.
  std::string Handshake() {
    Connect();
    Say("+PONG\r\n");
    port_.Sent();
    Say("+OK\r\n+OK\r\n");
    return port_.Sent();
  }
  void Say(std::string_view bytes) { EXPECT_EQ(link_.Received(bytes, now_), bytes.size()); }
  void FullSync(std::string_view payload, StreamOffset offset) {
    Handshake();
    Say("+FULLRESYNC " + Id() + " " + std::to_string(offset) + "\r\n");
    Say("$" + std::to_string(payload.size()) + "\r\n" + std::string(payload));
    EXPECT_EQ(port_.Events(), "begin;end;");
    link_.Loaded(ReplicaLink::Load::kLoaded, now_);
    port_.Sent();
  }
  // Online, 109 bytes read of which 106 were applied.
  void FollowOnline() {
    link_.Follow(std::nullopt, now_);
    FullSync("abc", 100);
    Say("abcdefghi");
    link_.Applied(6);
  }
  std::string Id() const { return std::string(id_.text()); }

  Random random_{5};
  ReplicationId id_ = ReplicationId::New(random_), other_ = ReplicationId::New(random_);
  RecordingPort port_;
  ReplicaLink link_{port_};
  Millis now_ = 1'000'000;
};

// ---- the handshake ----

TEST_F(ReplicaLinkTest, IntroducesItselfAndAsksForEverything) {
  EXPECT_EQ(link_.state_name(), "none");
  link_.Follow(std::nullopt, now_);
  EXPECT_EQ(link_.state_name(), "connect");
  Connect();
  EXPECT_EQ(link_.state_name(), "handshake");
  Say("+PONG\r\n");
  EXPECT_EQ(port_.Sent(), Encoded({"REPLCONF", "listening-port", "7000"}) +
                              Encoded({"REPLCONF", "capa", "eof", "capa", "psync2"}));
  Say("+OK\r\n");
  EXPECT_EQ(port_.Sent(), "");
  Say("-ERR Unrecognized REPLCONF option: capa\r\n");  // an old primary
  EXPECT_EQ(port_.Sent(), Encoded({"PSYNC", "?", "-1"}));
}

TEST_F(ReplicaLinkTest, SaysAllThatIsConfigured) {
  link_.settings().user = "u";
  link_.settings().password = "p";
  link_.settings().announced_ip = "10.0.0.1";
  link_.settings().version = "7.2.4";
  link_.Follow(std::nullopt, now_);
  Connect();
  Say("-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(port_.Sent(), Encoded({"AUTH", "u", "p"}) + Encoded({"REPLCONF", "listening-port", "7000"}) +
                              Encoded({"REPLCONF", "ip-address", "10.0.0.1"}) +
                              Encoded({"REPLCONF", "capa", "eof", "capa", "psync2"}) +
                              Encoded({"REPLCONF", "version", "7.2.4"}));
  Say("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(port_.Sent(), Encoded({"PSYNC", "?", "-1"}));
}

TEST_F(ReplicaLinkTest, RetriesAfterARefusal) {
  link_.settings().password = "wrong";
  link_.Follow(std::nullopt, now_);
  Connect();
  Say("+PONG\r\n");
  EXPECT_TRUE(port_.Sent().starts_with(Encoded({"AUTH", "wrong"})));
  Say("-WRONGPASS no\r\n");
  EXPECT_EQ(port_.Events(), "close: Unable to AUTH to MASTER: -WRONGPASS no;");
  EXPECT_EQ(link_.state(), State::kConnect);
  link_.OnTick(now_ + 999);
  EXPECT_EQ(port_.Events(), "");
  link_.OnTick(now_ + 1000);
  EXPECT_EQ(port_.Events(), "connect;");
  link_.Disconnected("Connection refused", now_ + 1000);
  EXPECT_EQ(port_.Events(), "");  // it is closed already
  link_.OnTick(now_ + 2000);
  EXPECT_EQ(port_.Events(), "connect;");
  link_.OnTick(now_ + 62'001);
  EXPECT_EQ(port_.Events(), "close: Timeout connecting to the MASTER...;");
}

TEST_F(ReplicaLinkTest, APrimaryThatCannotServeNowIsAskedAgain) {
  for (std::string_view refusal : {"-NOMASTERLINK x", "-LOADING x", "-NOPERM x", "-MASTERDOWN x"}) {
    RecordingPort port;
    ReplicaLink link(port);
    link.Follow(Position{id_, 5}, now_);
    link.OnTick(now_);
    link.Connected(now_);
    link.Received("+PONG\r\n+OK\r\n+OK\r\n", now_);
    EXPECT_TRUE(port.Sent().ends_with(Encoded({"PSYNC", Id(), "6"})));
    link.Received(std::string(refusal) + "\r\n", now_);
    EXPECT_EQ(link.state(), State::kConnect) << refusal;
    EXPECT_EQ(link.position(), (Position{id_, 5}));
    EXPECT_EQ(port.Sent(), "");
  }
}

TEST_F(ReplicaLinkTest, APrimaryWithoutPsyncIsAskedWithSync) {
  link_.Follow(std::nullopt, now_);
  Handshake();
  Say("-ERR unknown command 'PSYNC'\r\n");
  EXPECT_EQ(port_.Sent(), "SYNC\r\n");
  Say("\n\n$3\r\nabc");
  EXPECT_TRUE(port_.payload.position.id.none());
  EXPECT_EQ(port_.loaded, "abc");
  link_.Loaded(ReplicaLink::Load::kLoaded, now_);
  EXPECT_TRUE(link_.online());
  Say("stream");
  EXPECT_EQ(port_.stream, "stream");
  link_.OnTick(now_ + 5000);
  EXPECT_EQ(port_.Sent(), "");  // it does not know ACK
  link_.Disconnected("", now_);
  EXPECT_FALSE(link_.position().has_value());
}

TEST_F(ReplicaLinkTest, NonsenseEndsTheAttempt) {
  for (std::string_view nonsense :
       {"+FULLRESYNC", "+FULLRESYNC x 1", "+CONTINUE zz", "+OK", ":1", "+FULLRESYNC  1"}) {
    RecordingPort port;
    ReplicaLink link(port);
    link.Follow(Position{id_, 5}, now_);
    link.OnTick(now_);
    link.Connected(now_);
    link.Received("+PONG\r\n+OK\r\n+OK\r\n", now_);
    link.Received(std::string(nonsense) + "\r\n", now_);
    EXPECT_EQ(link.state(), State::kConnect) << nonsense;
    EXPECT_EQ(link.position(), (Position{id_, 5}));
  }
  link_.Follow(std::nullopt, now_);
  Handshake();
  Say("+CONTINUE\r\n");  // of what?
  EXPECT_EQ(link_.state(), State::kConnect);
  port_.Events();
  Connect();
  link_.Received(std::string(10'000, 'x'), now_);
  EXPECT_EQ(link_.state(), State::kConnect);
}

TEST_F(ReplicaLinkTest, ALineThatWasCutOffIsForgotten) {
  link_.Follow(Position{id_, 5}, now_);
  Handshake();
  Say("+FULLRESYNC " + Id());
  link_.Disconnected("", now_);
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "6"})));
  Say("+CONT");
  Say("INUE\r");
  Say("\n");
  EXPECT_TRUE(link_.online());
}

// ---- the payload ----

TEST_F(ReplicaLinkTest, LoadsAFileAndThenTakesTheStream) {
  link_.Follow(std::nullopt, now_);
  Handshake();
  Say("\n\n");
  Say("+FULLRESYNC " + Id() + " 42\r\n");
  Say("\n\n\n$5\r\n");
  EXPECT_EQ(link_.state_name(), "sync");
  EXPECT_EQ(port_.payload.position, (Position{id_, 42}));
  EXPECT_EQ(port_.payload.size, 5u);
  // What belongs to the stream is not taken before the payload is loaded.
  EXPECT_EQ(link_.Received("helloSTREAM", now_), 5u);
  EXPECT_EQ(port_.loaded, "hello");
  EXPECT_EQ(port_.Events(), "begin;end;");
  EXPECT_EQ(link_.Received("STREAM", now_), 0u);
  link_.OnTick(now_ + 1000);
  EXPECT_EQ(port_.Sent(), "\n");
  link_.OnTick(now_ + 100'000);  // loading may take long
  EXPECT_EQ(link_.state(), State::kLoading);
  port_.Sent();
  EXPECT_FALSE(link_.position().has_value());
  link_.Loaded(ReplicaLink::Load::kLoaded, now_);
  EXPECT_EQ(port_.Sent(), Encoded({"REPLCONF", "ACK", "42"}));
  EXPECT_EQ(link_.state_name(), "connected");
  Say("STREAM");
  EXPECT_EQ(port_.stream, "STREAM");
}

TEST_F(ReplicaLinkTest, FindsTheMarkHoweverItIsCut) {
  const std::string mark = std::string(20, 'a') + std::string(19, 'b') + "c";
  // Beginnings of the mark inside the payload.
  const std::string payload = mark.substr(0, 39) + "x" + mark.substr(0, 20) + mark.substr(0, 39);
  const std::string text = "$EOF:" + mark + "\r\n" + payload + mark + "STREAM";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    RecordingPort port;
    ReplicaLink link(port);
    link.Follow(std::nullopt, now_);
    link.OnTick(now_);
    link.Connected(now_);
    link.Received("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " + Id() + " 1\r\n", now_);
    std::string_view rest = text;
    while (link.state() != State::kLoading) {
      ASSERT_FALSE(rest.empty());
      rest.remove_prefix(link.Received(rest.substr(0, piece), now_));
    }
    EXPECT_EQ(port.payload.size, std::nullopt);
    ASSERT_EQ(port.loaded, payload) << piece;
    ASSERT_EQ(rest, "STREAM");
    EXPECT_EQ(link.payload().received(), payload.size());
  }
}

TEST(PayloadReader, AgreesWithSearchingTheWhole) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string mark, text;
    for (int i = 0; i < 40; ++i) mark += static_cast<char>('a' + random.Uniform(2));
    while (random.Uniform(12) != 0)
      text += mark.substr(0, random.Uniform(40)) + std::string(random.Uniform(3), 'c');
    const std::string whole = text + mark + "rest";
    const size_t end = whole.find(mark);
    PayloadReader reader;
    reader.BeginMarked(mark);
    std::string payload;
    size_t taken = 0;
    while (!reader.done()) {
      const size_t piece = std::min<size_t>(1 + random.Uniform(60), whole.size() - taken);
      taken +=
          reader.Feed(std::string_view(whole).substr(taken, piece), [&](auto bytes) { payload += bytes; });
    }
    ASSERT_EQ(payload, whole.substr(0, end));
    ASSERT_EQ(taken, end + 40);
  }
}

TEST_F(ReplicaLinkTest, KeepsItsPositionUntilTheOldDataIsGone) {
  FollowOnline();
  link_.Disconnected("", now_);
  Handshake();
  Say("+FULLRESYNC " + std::string(other_.text()) + " 7\r\n$10\r\nabc");
  port_.Events();
  link_.Disconnected("", now_);
  EXPECT_EQ(port_.Events(), "abort;");
  EXPECT_EQ(link_.position(), (Position{id_, 106}));
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "107"})));
  Say("+FULLRESYNC " + std::string(other_.text()) + " 7\r\n$10\r\nabc");
  port_.Events();
  port_.old_data = ReplicaLinkPort::OldData::kLost;
  link_.OnTick(now_ + 60'001);
  EXPECT_EQ(port_.Events(), "abort;close: Timeout receiving bulk data from MASTER...;");
  EXPECT_FALSE(link_.position().has_value());
}

TEST_F(ReplicaLinkTest, AFailedLoadIsTriedAgain) {
  FollowOnline();
  for (const auto result : {ReplicaLink::Load::kFailedOldDataKept, ReplicaLink::Load::kFailedOldDataLost}) {
    link_.Disconnected("", now_);
    Handshake();
    Say("+FULLRESYNC " + std::string(other_.text()) + " 7\r\n$3\r\nabc");
    port_.Events();
    link_.Loaded(result, now_);
    EXPECT_EQ(port_.Events(), "close: Failed trying to load the MASTER synchronization DB;");
    EXPECT_EQ(link_.state(), State::kConnect);
    EXPECT_EQ(link_.position().has_value(), result == ReplicaLink::Load::kFailedOldDataKept);
  }
  // The disk is full in the middle.
  Handshake();
  Say("+FULLRESYNC " + Id() + " 7\r\n$3\r\na");
  link_.Loaded(ReplicaLink::Load::kFailedOldDataLost, now_);
  EXPECT_EQ(link_.state(), State::kConnect);
}

TEST_F(ReplicaLinkTest, WhatWasLoadedWhileTheConnectionEndedIsContinuedFrom) {
  link_.Follow(std::nullopt, now_);
  Handshake();
  Say("+FULLRESYNC " + Id() + " 42\r\n$3\r\nabc");
  link_.Disconnected("", now_);
  EXPECT_EQ(link_.state(), State::kLoading);
  port_.Events();
  link_.OnTick(now_ + 5000);
  EXPECT_EQ(port_.Sent(), "");
  link_.Loaded(ReplicaLink::Load::kLoaded, now_);
  EXPECT_EQ(port_.Events(), "");
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "43"})));
}

TEST_F(ReplicaLinkTest, APrimaryMayGiveUpTheSnapshot) {
  link_.Follow(std::nullopt, now_);
  Handshake();
  Say("+FULLRESYNC " + Id() + " 42\r\n-ERR BGSAVE failed, replication can't continue\r\n");
  EXPECT_TRUE(port_.Events().starts_with("close: MASTER aborted replication with an error"));
  Handshake();
  Say("+FULLRESYNC " + Id() + " 42\r\nREDIS\r\n");
  EXPECT_TRUE(port_.Events().starts_with("close: Bad protocol from MASTER"));
}

// ---- the stream ----

TEST_F(ReplicaLinkTest, OnlyWhatWasAppliedCounts) {
  FollowOnline();
  EXPECT_EQ(link_.position(), (Position{id_, 106}));
  EXPECT_EQ(link_.read_offset(), 109u);
  port_.Sent();
  link_.Acknowledge(now_);
  EXPECT_EQ(port_.Sent(), Encoded({"REPLCONF", "ACK", "106"}));
  link_.SetOnDisk(50);
  link_.OnTick(now_ + 999);
  EXPECT_EQ(port_.Sent(), "");
  link_.OnTick(now_ + 1000);
  EXPECT_EQ(port_.Sent(), Encoded({"REPLCONF", "ACK", "106", "FACK", "50"}));
  // A cut in the middle of a command: its beginning comes again.
  link_.Disconnected("", now_);
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "107"})));
  Say("+CONTINUE\r\nghi");
  EXPECT_EQ(port_.Events(), "continue " + Id() + ";");
  EXPECT_EQ(link_.read_offset(), 109u);
  link_.Applied(3);
  EXPECT_EQ(link_.position()->offset, 109u);
}

TEST_F(ReplicaLinkTest, TheSameDataGoesOnUnderAnotherId) {
  FollowOnline();
  link_.Disconnected("", now_);
  Handshake();
  Say("+CONTINUE " + std::string(other_.text()) + "\r\n");
  EXPECT_EQ(port_.Events(), "continue " + std::string(other_.text()) + ";");
  EXPECT_EQ(link_.position(), (Position{other_, 106}));
  link_.Stop();
  EXPECT_EQ(link_.position(), (Position{other_, 106}));
  EXPECT_EQ(link_.state_name(), "none");
}

TEST_F(ReplicaLinkTest, ASilentPrimaryTimesOut) {
  FollowOnline();
  for (int i = 1; i <= 60; ++i) link_.OnTick(now_ + i * 1000);
  EXPECT_TRUE(link_.online());
  link_.OnTick(now_ + 60'001);
  EXPECT_EQ(port_.Events(), "close: MASTER timeout: no data nor PING received...;");
  EXPECT_EQ(link_.position(), (Position{id_, 106}));
  EXPECT_EQ(link_.down_since(), now_ + 60'001);
}

TEST_F(ReplicaLinkTest, DemandsThatAReplicaTakesOver) {
  link_.Follow(Position{id_, 9}, now_, ReplicaLink::TakeOver::kDemand);
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "10", "FAILOVER"})));
  link_.Disconnected("", now_);
  EXPECT_EQ(port_.Events(), "");  // not answered yet
  Handshake();
  Say("-ERR PSYNC FAILOVER can't be sent to a master.\r\n");
  EXPECT_EQ(port_.Events(), "rejected;close: The target of the failover did not take over;");
  EXPECT_TRUE(Handshake().ends_with(Encoded({"PSYNC", Id(), "10"})));
  link_.Stop();
  port_.Events();
  link_.Follow(Position{id_, 9}, now_, ReplicaLink::TakeOver::kDemand);
  Handshake();
  Say("+CONTINUE " + std::string(other_.text()) + "\r\n");
  EXPECT_EQ(port_.Events(), "taken over;continue " + std::string(other_.text()) + ";");
}

}  // namespace
}  // namespace cinnabar::replication
