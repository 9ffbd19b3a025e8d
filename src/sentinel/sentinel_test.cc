#include "sentinel/sentinel.h"

#include <gtest/gtest.h>

#include "sentinel/world_for_test.h"

namespace cinnabar::sentinel {
namespace {

const std::string kPeerA(40, 'a');
const std::string kPeerB(40, 'b');

std::string PrimaryInfo(std::string_view run_id = "1") {
  return "run_id:" + std::string(40, run_id[0]) +
         "\r\nrole:master\r\nslave0:ip=10.0.0.2,port=6379,state=online\r\n"
         "slave1:ip=10.0.0.3,port=6379,state=online\r\nmaster_repl_offset:900\r\n";
}

std::string ReplicaInfo(int offset, std::string_view of = "10.0.0.1", std::string_view link = "up") {
  return "run_id:" + std::string(40, static_cast<char>('2' + offset % 7)) +
         "\r\nrole:slave\r\nmaster_host:" + std::string(of) +
         "\r\nmaster_port:6379\r\nmaster_link_status:" + std::string(link) +
         "\r\nslave_priority:100\r\nslave_repl_offset:" + std::to_string(offset) + "\r\n";
}

std::string HelloOf(const std::string& id, int number, int epoch = 0, const std::string& primary = "10.0.0.1",
                    int config_epoch = 0) {
  return EncodeHello({.host = "10.0.1." + std::to_string(number),
                      .port = 26379,
                      .run_id = id,
                      .current_epoch = static_cast<uint64_t>(epoch),
                      .primary_name = "m",
                      .primary_host = primary,
                      .primary_port = 6379,
                      .config_epoch = static_cast<uint64_t>(config_epoch)});
}

// A deployment of one primary, two replicas and three sentinels, of which this is one, that runs well.
class SentinelTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(world.load_error);
    ASSERT_TRUE(world.sentinel->Start().has_value());
    world.sentinel->TakeHello(HelloOf(kPeerA, 1));
    world.sentinel->TakeHello(HelloOf(kPeerB, 2));
    Live(2000);
    world.events.clear();
  }

  // Time in which everybody answers that is not in `silent`.
  void Live(Millis millis) {
    for (; millis > 0; millis -= 100) {
      world.Tick();
      world.Establish();
      AnswerAll();
    }
  }
  void AnswerAll() {
    if (!silent.contains("10.0.0.1")) world.Answer("10.0.0.1", 6379, info["10.0.0.1"]);
    for (const std::string host : {"10.0.0.2", "10.0.0.3"}) {
      if (!silent.contains(host)) world.Answer(host, 6379, info[host]);
    }
    for (const std::string host : {"10.0.1.1", "10.0.1.2"}) {
      if (!silent.contains(host)) world.Answer(host, 26379, "");
    }
  }
  // The peers agree that it is down, and vote for whoever asks.
  void PeersAgree() {
    world.vote = [this](const std::string& asked) {
      const std::string candidate = asked.substr(asked.rfind(' ') + 1);
      const std::string epoch = asked.substr(0, asked.rfind(' '));
      if (candidate == "*") return VoteAnswer(true, "*", 0);
      return VoteAnswer(true, voted_for.empty() ? candidate : voted_for,
                        std::stoll(epoch.substr(epoch.rfind(' ') + 1)));
    };
  }

  World world;
  std::map<std::string, std::string> info{
      {"10.0.0.1", PrimaryInfo()}, {"10.0.0.2", ReplicaInfo(700)}, {"10.0.0.3", ReplicaInfo(800)}};
  std::set<std::string> silent;
  std::string voted_for;
};

TEST_F(SentinelTest, FindsEverybodyAndIntroducesItself) {
  EXPECT_EQ(world.primary().replicas.size(), 2u);
  EXPECT_EQ(world.primary().peers.size(), 2u);
  EXPECT_EQ(world.Sent("10.0.0.1", 6379, "client SETNAME sentinel-"), 2);
  EXPECT_EQ(world.Sent("10.0.0.2", 6379, "subscribe __sentinel__:hello"), 1);
  EXPECT_EQ(world.Sent("10.0.1.1", 26379, "subscribe"), 0);
  EXPECT_GE(world.Sent("10.0.1.1", 26379, "publish __sentinel__:hello 10.0.9.9,26379,"), 1);
  EXPECT_FALSE(world.primary().down);
  EXPECT_EQ(world.primary().known_offset, 900u);
}

TEST_F(SentinelTest, FailsOverToTheReplicaWithTheMostAndTellsEverybody) {
  PeersAgree();
  silent.insert("10.0.0.1");
  Live(5600);
  EXPECT_TRUE(world.Happened("+sdown master m 10.0.0.1 6379"));
  EXPECT_TRUE(world.Happened("+odown master m 10.0.0.1 6379 #quorum 2/2"));
  EXPECT_TRUE(world.Happened("+elected-leader master m"));
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.3:6379 10.0.0.3 6379 @ m 10.0.0.1 6379"));
  EXPECT_EQ(world.Sent("10.0.0.3", 6379, "slaveof NO ONE"), 1);
  info["10.0.0.3"] = "run_id:" + std::string(40, '3') + "\r\nrole:master\r\n";
  Live(300);
  EXPECT_TRUE(world.Happened("+promoted-slave slave 10.0.0.3:6379"));
  EXPECT_EQ(world.Sent("10.0.0.2", 6379, "slaveof 10.0.0.3 6379"), 1);
  EXPECT_EQ(world.sentinel->CurrentAddress(world.primary()).ip, "10.0.0.3");
  EXPECT_FALSE(world.Happened("+switch-master"));
  info["10.0.0.2"] = ReplicaInfo(800, "10.0.0.3");
  Live(400);
  EXPECT_TRUE(world.Happened("+slave-reconf-done slave 10.0.0.2:6379"));
  EXPECT_TRUE(world.Happened("+switch-master m 10.0.0.1 6379 10.0.0.3 6379"));
  EXPECT_EQ(world.primary().address.ip, "10.0.0.3");
  EXPECT_EQ(world.primary().config_epoch, 1u);
  EXPECT_EQ(world.primary().replicas.size(), 2u);
  EXPECT_EQ(world.primary().peers.size(), 2u);
  ASSERT_EQ(world.primary().history.size(), 1u);
  EXPECT_EQ(world.primary().history[0].outcome, "+switch-master");
}

TEST_F(SentinelTest, SaysWhatAFailoverMayHaveCost) {
  PeersAgree();
  silent.insert("10.0.0.1");
  Live(5600);
  std::string notes;
  for (const std::string& note : world.primary().history.back().notes) notes += note + "\n";
  EXPECT_TRUE(notes.contains("10.0.0.3:6379: priority 100, offset 800: chosen")) << notes;
  EXPECT_TRUE(notes.contains("10.0.0.2:6379: priority 100, offset 700: good, but not the best")) << notes;
  EXPECT_TRUE(notes.contains("up to 100 bytes of the stream may be lost")) << notes;
}

TEST_F(SentinelTest, OneOpinionIsNotEnough) {
  silent.insert("10.0.0.1");
  Live(8000);
  EXPECT_TRUE(world.Happened("+sdown master"));
  EXPECT_FALSE(world.Happened("+odown"));
  silent.clear();
  Live(1500);
  EXPECT_TRUE(world.Happened("-sdown master"));
}

TEST_F(SentinelTest, WhoIsNotElectedTriesAgainSoonIfNobodyIs) {
  PeersAgree();
  voted_for = kPeerA;
  world.vote = [](const std::string& asked) {
    // Each of the others votes for itself.
    static int turn = 0;
    if (asked.ends_with("*")) return VoteAnswer(true, "*", 0);
    const std::string epoch = asked.substr(0, asked.rfind(' '));
    return VoteAnswer(true, ++turn % 2 == 0 ? kPeerA : kPeerB,
                      std::stoll(epoch.substr(epoch.rfind(' ') + 1)));
  };
  silent.insert("10.0.0.1");
  Live(5800);
  EXPECT_TRUE(world.Happened("-failover-abort-not-elected"));
  world.events.clear();
  PeersAgree();
  voted_for.clear();
  Live(1000);
  EXPECT_TRUE(world.Happened("+elected-leader"));
}

TEST_F(SentinelTest, VotesOncePerEpochAlsoOverARestart) {
  const auto ask = [&](const std::string& who, Epoch epoch) {
    return world.sentinel->OpinionOf("10.0.0.1", 6379, epoch, who);
  };
  EXPECT_EQ(ask(kPeerA, 5).leader, kPeerA);
  EXPECT_EQ(ask(kPeerB, 5).leader, kPeerA);
  EXPECT_EQ(ask(kPeerB, 4).leader, kPeerA);
  EXPECT_EQ(world.sentinel->current_epoch(), 5u);
  world.Restart();
  EXPECT_EQ(ask(kPeerB, 5).leader, "*");
  EXPECT_EQ(ask(kPeerB, 5).leader_epoch, 5u);
  EXPECT_EQ(ask(kPeerB, 6).leader, kPeerB);
  EXPECT_EQ(world.sentinel->OpinionOf("10.0.0.1", 6379, 9, "*").leader, "*");
  EXPECT_EQ(world.sentinel->current_epoch(), 6u);
  EXPECT_EQ(world.sentinel->OpinionOf("10.0.0.7", 6379, 9, kPeerA).leader, "*");
}

TEST_F(SentinelTest, WhatCannotBeSavedIsNotVoted) {
  world.disk_full = true;
  EXPECT_EQ(world.sentinel->OpinionOf("10.0.0.1", 6379, 5, kPeerA).leader, "*");
  EXPECT_TRUE(world.sentinel->save_problem());
  PeersAgree();
  silent.insert("10.0.0.1");
  Live(8000);
  EXPECT_TRUE(world.Happened("+odown"));
  EXPECT_FALSE(world.Happened("+try-failover"));
  world.disk_full = false;
  Live(2000);
  EXPECT_FALSE(world.sentinel->save_problem());
  EXPECT_TRUE(world.Happened("+try-failover"));
}

TEST_F(SentinelTest, BelievesALaterConfiguration) {
  world.sentinel->TakeHello(HelloOf(kPeerA, 1, 3, "10.0.0.2", 3));
  EXPECT_TRUE(world.Happened("+new-epoch 3"));
  EXPECT_TRUE(world.Happened("+config-update-from sentinel " + kPeerA));
  EXPECT_TRUE(world.Happened("+switch-master m 10.0.0.1 6379 10.0.0.2 6379"));
  EXPECT_EQ(world.primary().address.ip, "10.0.0.2");
  EXPECT_EQ(world.primary().config_epoch, 3u);
  // An earlier one changes nothing.
  world.sentinel->TakeHello(HelloOf(kPeerB, 2, 3, "10.0.0.3", 2));
  EXPECT_EQ(world.primary().address.ip, "10.0.0.2");
  world.Restart();
  EXPECT_EQ(world.primary().address.ip, "10.0.0.2");
  EXPECT_EQ(world.primary().config_epoch, 3u);
  EXPECT_EQ(world.primary().replicas.size(), 2u);
}

TEST_F(SentinelTest, APrimaryOfOldBecomesAReplica) {
  info["10.0.0.2"] = "role:master\r\n";
  Live(19'000);
  EXPECT_TRUE(world.Happened("-role-change slave 10.0.0.2:6379"));
  EXPECT_TRUE(world.Happened("+convert-to-slave slave 10.0.0.2:6379"));
  EXPECT_GE(world.Sent("10.0.0.2", 6379, "slaveof 10.0.0.1 6379"), 1);
}

TEST_F(SentinelTest, AReplicaOfSomebodyElseIsCorrected) {
  info["10.0.0.2"] = ReplicaInfo(700, "10.0.0.9");
  Live(9'000);
  EXPECT_FALSE(world.Happened("+fix-slave-config"));
  Live(22'000);
  EXPECT_TRUE(world.Happened("+fix-slave-config slave 10.0.0.2:6379"));
}

TEST_F(SentinelTest, TiltStopsDecisions) {
  PeersAgree();
  silent.insert("10.0.0.1");
  world.clock.AdvanceMillis(6000);
  world.sentinel->OnTick();
  EXPECT_TRUE(world.Happened("+tilt #tilt mode entered"));
  Live(10'000);
  EXPECT_FALSE(world.Happened("+sdown"));
  EXPECT_FALSE(world.sentinel->OpinionOf("10.0.0.1", 6379, 0, "*").down);
  Live(21'000);
  EXPECT_TRUE(world.Happened("-tilt"));
  EXPECT_TRUE(world.Happened("+sdown"));
}

TEST_F(SentinelTest, ABusyScriptIsEndedOnce) {
  for (int i = 0; i < 70; ++i) {
    world.Tick();
    world.Establish();
    world.Answer("10.0.0.1", 6379, info["10.0.0.1"], "BUSY Redis is busy");
    AnswerAll();
  }
  EXPECT_TRUE(world.Happened("+sdown master"));
  EXPECT_EQ(world.Sent("10.0.0.1", 6379, "script KILL"), 1);
}

TEST_F(SentinelTest, AForcedFailoverNeedsNoElection) {
  ASSERT_TRUE(world.sentinel->Failover(world.primary()).has_value());
  EXPECT_EQ(world.sentinel->Failover(world.primary()).error().message, "INPROG Failover already in progress");
  Live(200);
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.3:6379"));
  // The replica refuses: it is given up after the timeout.
  Live(10'200);
  EXPECT_TRUE(world.Happened("-failover-abort-slave-timeout"));
  EXPECT_FALSE(world.primary().failing_over);
}

TEST_F(SentinelTest, NobodyToPromote) {
  info["10.0.0.2"] += "slave_priority:0\r\n";
  info["10.0.0.3"] += "slave_priority:0\r\n";
  Live(11'000);
  EXPECT_EQ(world.sentinel->Failover(world.primary()).error().message,
            "NOGOODSLAVE No suitable replica to promote");
}

TEST_F(SentinelTest, ASentinelThatMovedIsOneSentinel) {
  world.sentinel->TakeHello(HelloOf(kPeerA, 9));
  EXPECT_EQ(world.primary().peers.size(), 2u);
  EXPECT_EQ(world.primary().peers.at(kPeerA)->address.ip, "10.0.1.9");
  EXPECT_TRUE(world.Happened("+sentinel-address-switch master m 10.0.0.1 6379 ip 10.0.1.9 port 26379 for"));
  // Another one answers where kPeerB was.
  world.sentinel->TakeHello(HelloOf(std::string(40, 'c'), 2));
  EXPECT_TRUE(world.Happened("+sentinel-invalid-addr sentinel " + kPeerB));
  EXPECT_FALSE(world.primary().peers.contains(kPeerB));
  EXPECT_EQ(world.primary().peers.size(), 2u);
}

TEST_F(SentinelTest, TheSameSentinelSharesItsConnection) {
  ASSERT_TRUE(world.sentinel->Monitor("n", "10.0.0.8", 6379, 2).has_value());
  std::string hello = HelloOf(kPeerA, 1);
  hello.replace(hello.find(",m,"), 3, ",n,");
  world.sentinel->TakeHello(hello);
  Peer& peer = *world.sentinel->Find("n")->peers.at(kPeerA);
  EXPECT_EQ(peer.link, world.primary().peers.at(kPeerA)->link);
  EXPECT_EQ(world.To("10.0.1.1", 26379).size(), 1u);
  EXPECT_TRUE(world.sentinel->Remove("n"));
  EXPECT_EQ(world.To("10.0.1.1", 26379).size(), 1u);
  Live(1000);
  EXPECT_FALSE(world.primary().peers.at(kPeerA)->down);
}

TEST_F(SentinelTest, ResetForgets) {
  EXPECT_EQ(world.sentinel->Reset("x*"), 0u);
  EXPECT_EQ(world.sentinel->Reset("*"), 1u);
  EXPECT_TRUE(world.primary().replicas.empty());
  EXPECT_TRUE(world.primary().peers.empty());
  EXPECT_TRUE(world.connections.empty());
}

TEST_F(SentinelTest, QuorumIsChecked) {
  auto check = world.sentinel->CheckQuorum(world.primary());
  EXPECT_EQ(check.usable, 3u);
  EXPECT_TRUE(check.quorum && check.majority);
  silent = {"10.0.1.1", "10.0.1.2"};
  Live(6000);
  check = world.sentinel->CheckQuorum(world.primary());
  EXPECT_EQ(check.usable, 1u);
  EXPECT_FALSE(check.quorum || check.majority);
}

TEST_F(SentinelTest, ARebootMayCountAsAFailure) {
  const std::vector<std::string_view> words{"master-reboot-down-after-period", "2000"};
  ASSERT_TRUE(world.sentinel->Set(world.primary(), words).has_value());
  info["10.0.0.1"] = PrimaryInfo("9");
  for (int i = 0; i < 150; ++i) {
    world.Tick();
    world.Establish();
    world.Answer("10.0.0.1", 6379, info["10.0.0.1"], "LOADING it is");
    AnswerAll();
  }
  EXPECT_TRUE(world.Happened("+reboot master m"));
  EXPECT_TRUE(world.Happened("+sdown master m"));
}

TEST_F(SentinelTest, ChoosesByWhatReplicasHaveAfterTheDeath) {
  PeersAgree();
  silent.insert("10.0.0.1");
  Live(4800);
  info["10.0.0.2"] = ReplicaInfo(900);
  Live(900);
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.2:6379")) << testing::PrintToString(world.events);
}

TEST_F(SentinelTest, TriesAgainWhenNobodyCouldBePromoted) {
  PeersAgree();
  info["10.0.0.2"] += "slave_priority:0\r\n";
  info["10.0.0.3"] += "slave_priority:0\r\n";
  silent.insert("10.0.0.1");
  Live(9'000);
  EXPECT_TRUE(world.Happened("-failover-abort-no-good-slave master m"));
  info["10.0.0.3"] = ReplicaInfo(800);
  Live(26'000);
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.3:6379"));
}

// Ours is promoted, and not final yet.
class PromotedTest : public SentinelTest {
 protected:
  void SetUp() override {
    SentinelTest::SetUp();
    ASSERT_TRUE(world.sentinel->Failover(world.primary()).has_value());
    Live(300);
    info["10.0.0.3"] = "run_id:" + std::string(40, '3') + "\r\nrole:master\r\n";
    Live(300);
    ASSERT_EQ(world.sentinel->CurrentAddress(world.primary()).ip, "10.0.0.3");
    ASSERT_EQ(world.primary().address.ip, "10.0.0.1");
  }
};

TEST_F(PromotedTest, AResetKeepsIt) {
  world.sentinel->Reset("m");
  EXPECT_EQ(world.primary().address.ip, "10.0.0.3");
}

TEST_F(PromotedTest, ALaterConfigurationEndsItAlsoWithTheOldAddress) {
  world.sentinel->TakeHello(HelloOf(kPeerA, 1, 2, "10.0.0.1", 2));
  EXPECT_FALSE(world.primary().failing_over);
  EXPECT_EQ(world.sentinel->CurrentAddress(world.primary()).ip, "10.0.0.1");
  EXPECT_EQ(world.primary().config_epoch, 2u);
}

TEST_F(PromotedTest, TwoPrimariesInOneEpochGetAThird) {
  world.sentinel->TakeHello(HelloOf(kPeerA, 1, 1, "10.0.0.2", 1));
  EXPECT_EQ(world.primary().config_epoch, 1u);  // it is up to those who name the lower address
  world.sentinel->TakeHello(HelloOf(kPeerA, 1, 1, "10.0.0.4", 1));
  EXPECT_EQ(world.primary().config_epoch, 2u);
  EXPECT_EQ(world.sentinel->current_epoch(), 2u);
}

TEST_F(PromotedTest, ThePeersWereAskedToVote) {
  EXPECT_GE(world.Sent("10.0.1.1", 26379, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 1 "), 1);
}

TEST_F(SentinelTest, StartedAfterTheDeathItComparesReplicasWithEachOther) {
  silent.insert("10.0.0.1");
  info["10.0.0.2"] = ReplicaInfo(700, "10.0.0.1", "down") + "master_link_down_since_seconds:9000\r\n";
  info["10.0.0.3"] = ReplicaInfo(600, "10.0.0.1", "down") + "master_link_down_since_seconds:3000\r\n";
  world.Restart();
  PeersAgree();
  Live(7000);
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.3:6379")) << testing::PrintToString(world.events);
}

// A primary that has become somebody's replica answers, and is no primary: how long it was one is not known.
TEST_F(SentinelTest, APrimaryThatIsAReplicaNowIsReplaced) {
  PeersAgree();
  info["10.0.0.1"] = ReplicaInfo(500, "10.0.0.9");
  info["10.0.0.2"] = ReplicaInfo(700, "10.0.0.1", "down") + "master_link_down_since_seconds:215\r\n";
  info["10.0.0.3"] = ReplicaInfo(600, "10.0.0.1", "down") + "master_link_down_since_seconds:214\r\n";
  Live(36'500);
  EXPECT_TRUE(world.Happened("+selected-slave slave 10.0.0.2:6379")) << testing::PrintToString(world.events);
}

// But one that knows when it died does not promote what was too old then.
TEST_F(SentinelTest, AReplicaThatWasLongWithoutItsPrimaryIsNotPromoted) {
  info["10.0.0.2"] = ReplicaInfo(700, "10.0.0.1", "down") + "master_link_down_since_seconds:9000\r\n";
  info["10.0.0.3"] = ReplicaInfo(600, "10.0.0.1", "down") + "master_link_down_since_seconds:3000\r\n";
  PeersAgree();
  silent.insert("10.0.0.1");
  Live(9000);
  EXPECT_TRUE(world.Happened("-failover-abort-no-good-slave"));
}

TEST_F(SentinelTest, WhoIsNotLetInIsDisconnected) {
  const auto ids = world.To("10.0.0.1", 6379);
  ASSERT_EQ(ids.size(), 2u);
  world.sentinel->Received(ids[1], ErrorText("NOAUTH Authentication required."));
  EXPECT_TRUE(world.primary().disconnected());
  // It is tried again. A password that is not asked for is an error, and does not matter.
  Live(1100);
  const std::vector<std::string_view> words{"auth-pass", "secret"};
  ASSERT_TRUE(world.sentinel->Set(world.primary(), words).has_value());
  world.Tick(1100);
  world.Establish();
  const ConnectionId messages = world.primary().link->messages.id;
  world.sentinel->Received(messages, ErrorText("ERR AUTH called without any password configured"));
  world.sentinel->Received(messages, Text("OK"));
  EXPECT_FALSE(world.primary().disconnected());
  world.sentinel->Received(messages, ErrorText("NOPERM it may not subscribe"));
  EXPECT_TRUE(world.primary().disconnected());
}

}  // namespace
}  // namespace cinnabar::sentinel
