#include "replication/primary_link.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/random.h"
#include "replication/snapshot_schedule.h"

namespace cinnabar::replication {
namespace {

using State = PrimaryLink::State;
using Answer = PrimaryLink::Answer;
using Words = std::vector<std::string_view>;

class PrimaryLinkTest : public ::testing::Test {
 protected:
  PrimaryLinkTest() {
    backlog_.Start(0);
    backlog_.Append("0123456789");
  }

  std::unique_ptr<PrimaryLink> NewLink() {
    return std::make_unique<PrimaryLink>(++sessions_, quorum_, &disk_quorum_);
  }
  std::unique_ptr<PrimaryLink> NewLink(Words capabilities) {
    auto link = NewLink();
    for (std::string_view capability : capabilities) {
      link->OnReplconf(Words{"REPLCONF", "capa", capability}, now_);
    }
    link->TakeText();
    return link;
  }
  std::string Replconf(PrimaryLink& link, Words words) {
    words.insert(words.begin(), "REPLCONF");
    link.OnReplconf(words, now_);
    return link.TakeText();
  }
  Answer Psync(PrimaryLink& link, std::string_view id, std::string_view offset) {
    return link.OnPsync(Words{"PSYNC", id, offset}, Side(), now_);
  }
  PrimarySide Side() { return {history_, backlog_, upstream_}; }
  std::string Id() const { return std::string(history_.id().text()); }
  void Ack(PrimaryLink& link, std::string_view offset) {
    link.OnReplconf(Words{"REPLCONF", "ACK", offset}, now_);
  }
  static std::string Take(Backlog::Cursor* cursor) {
    if (cursor == nullptr) return "(none)";
    iovec vectors[4];
    std::string text;
    const int count = cursor->Gather(vectors, 4);
    for (int i = 0; i < count; ++i) text.append(static_cast<char*>(vectors[i].iov_base), vectors[i].iov_len);
    cursor->Advance(text.size());
    return text;
  }
  Position End() const { return {history_.id(), backlog_.end()}; }

  Random random_{3};
  History history_{ReplicationId::New(random_)};
  Backlog backlog_{Backlog::kLimitMin};
  AckQuorum quorum_, disk_quorum_;
  PrimarySide::Upstream upstream_ = PrimarySide::Upstream::kNone;
  SnapshotSchedule schedule_;
  PrimaryLink::Settings settings_;
  SnapshotSchedule::Settings snapshots_{.diskless_delay = 0};
  Millis now_ = 1'000'000;
  uint64_t sessions_ = 0;
};

// ---- REPLCONF ----

TEST_F(PrimaryLinkTest, TakesWhatReplicasSayOfThemselves) {
  auto link = NewLink();
  EXPECT_EQ(Replconf(*link, {}), "+OK\r\n");
  EXPECT_EQ(Replconf(*link, {"listening-port", "7000", "ip-address", "replica.example"}), "+OK\r\n");
  EXPECT_EQ(Replconf(*link, {"CAPA", "EOF", "capa", "psync2", "capa", "of-the-future"}), "+OK\r\n");
  EXPECT_EQ(Replconf(*link, {"rdb-only", "1", "version", "7.2.4"}), "+OK\r\n");
  EXPECT_EQ(link->traits().listening_port, 7000);
  EXPECT_EQ(link->traits().announced_ip, "replica.example");
  EXPECT_EQ(link->traits().version, "7.2.4");
  EXPECT_TRUE(link->traits().capa_eof && link->traits().capa_psync2 && link->traits().rdb_only);
  EXPECT_EQ(Replconf(*link, {"rdb-filter-only", "functions"}), "+OK\r\n");
  EXPECT_EQ(link->traits().filter, (PayloadFilter{.without_data = true, .without_functions = false}));
  EXPECT_EQ(Replconf(*link, {"rdb-filter-only", ""}), "+OK\r\n");
  EXPECT_EQ(link->traits().filter, (PayloadFilter{.without_data = true, .without_functions = true}));
}

TEST_F(PrimaryLinkTest, RefusesWhatItDoesNotUnderstand) {
  auto link = NewLink();
  EXPECT_EQ(Replconf(*link, {"listening-port"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Replconf(*link, {"listening-port", "x"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(Replconf(*link, {"ip-address", std::string(300, 'x')}),
            "-ERR REPLCONF ip-address provided by replica instance is too long: 300 bytes\r\n");
  EXPECT_EQ(Replconf(*link, {"foo", "1"}), "-ERR Unrecognized REPLCONF option: foo\r\n");
  EXPECT_EQ(Replconf(*link, {"a\r\nb", "1"}), "-ERR Unrecognized REPLCONF option: a  b\r\n");
  EXPECT_EQ(Replconf(*link, {"rdb-only", "2"}), "-ERR value is out of range, value must between 0 and 1\r\n");
  EXPECT_EQ(Replconf(*link, {"rdb-filter-only", "functions bad"}),
            "-ERR Unsupported rdb-filter-only option: bad\r\n");
  EXPECT_EQ(Replconf(*link, {"rdb-filter-only", "\"a"}), "-ERR Missing rdb-filter-only values\r\n");
  // Neither is ever answered.
  EXPECT_EQ(Replconf(*link, {"getack", "*"}), "");
  EXPECT_EQ(Replconf(*link, {"ack", "5"}), "");
}

// ---- partial resynchronisation ----

TEST_F(PrimaryLinkTest, ContinuesFromTheFirstByteThatTheReplicaLacks) {
  auto old = NewLink();
  EXPECT_EQ(Psync(*old, Id(), "4"), Answer::kContinues);
  EXPECT_EQ(old->TakeText(), "+CONTINUE\r\n");
  auto link = NewLink({"psync2"});
  EXPECT_EQ(Psync(*link, Id(), "4"), Answer::kContinues);
  EXPECT_EQ(link->TakeText(), "+CONTINUE " + Id() + "\r\n");
  EXPECT_EQ(link->state(), State::kOnline);
  EXPECT_EQ(link->state_name(), "online");
  EXPECT_EQ(Take(link->stream()), "3456789");
  backlog_.Append("ab");
  EXPECT_EQ(link->pending_bytes(), 2u);
  EXPECT_EQ(Take(link->stream()), "ab");
  // Nothing is lacking.
  auto complete = NewLink();
  EXPECT_EQ(Psync(*complete, Id(), "13"), Answer::kContinues);
  EXPECT_EQ(Take(complete->stream()), "");
  EXPECT_EQ(Psync(*complete, Id(), "13"), Answer::kIgnored);
}

TEST_F(PrimaryLinkTest, DoesNotContinueWhatItCannot) {
  const std::string other(40, 'f');
  const std::vector<std::pair<std::string, std::string>> impossible = {
      {"?", "-1"}, {other, "4"}, {Id(), "0"}, {Id(), "-5"}, {Id(), "12"}, {Id(), "9223372036854775807"}};
  for (const auto& [id, offset] : impossible) {
    auto link = NewLink();
    EXPECT_EQ(Psync(*link, id, offset), Answer::kNeedsSnapshot) << id << " " << offset;
    EXPECT_EQ(link->TakeText(), "");
    EXPECT_EQ(link->state_name(), "wait_bgsave");
    EXPECT_EQ(link->stream(), nullptr);
    EXPECT_EQ(link->asked_to_continue(), id != "?");
  }
  auto link = NewLink();
  EXPECT_EQ(Psync(*link, "?", "x"), Answer::kRefused);
  EXPECT_EQ(link->TakeText(), "-ERR value is not an integer or out of range\r\n");
}

TEST_F(PrimaryLinkTest, FollowsTheRuleOfTheSecondId) {
  const std::string old = Id();
  history_.Shift(ReplicationId::New(random_), 5);
  auto link = NewLink({"psync2"});
  EXPECT_EQ(Psync(*link, old, "6"), Answer::kContinues);
  EXPECT_EQ(link->TakeText(), "+CONTINUE " + Id() + "\r\n");
  EXPECT_EQ(Psync(*NewLink(), old, "7"), Answer::kNeedsSnapshot);
}

TEST_F(PrimaryLinkTest, AReplicaServesOnlyWhileItFollows) {
  upstream_ = PrimarySide::Upstream::kDown;
  auto link = NewLink();
  EXPECT_EQ(Psync(*link, Id(), "4"), Answer::kRefused);
  EXPECT_EQ(link->TakeText(), "-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
  // A replica of the same primary that is ahead of us must not be taken back.
  upstream_ = PrimarySide::Upstream::kUp;
  EXPECT_EQ(Psync(*link, Id(), "12"), Answer::kRefused);
  EXPECT_TRUE(link->TakeText().starts_with("-NOMASTERLINK "));
  EXPECT_EQ(Psync(*link, Id(), "11"), Answer::kContinues);
}

TEST_F(PrimaryLinkTest, TakesOverWhenItsPrimaryDemandsIt) {
  auto link = NewLink();
  const std::string id = Id();
  const auto demand = [&](std::string_view of) {
    return link->OnPsync(Words{"PSYNC", of, "11", "FAILOVER"}, Side(), now_);
  };
  EXPECT_EQ(demand(id), Answer::kRefused);
  EXPECT_EQ(link->TakeText(), "-ERR PSYNC FAILOVER can't be sent to a master.\r\n");
  upstream_ = PrimarySide::Upstream::kUp;
  EXPECT_EQ(demand(std::string(40, 'f')), Answer::kRefused);
  EXPECT_EQ(link->TakeText(), "-ERR PSYNC FAILOVER replid must match my replid.\r\n");
  EXPECT_EQ(demand(id), Answer::kTakeOver);
  EXPECT_EQ(link->TakeText(), "");
  upstream_ = PrimarySide::Upstream::kNone;
  history_.Shift(ReplicationId::New(random_), 10);
  EXPECT_EQ(Psync(*link, id, "11"), Answer::kContinues);
}

// ---- full synchronisation ----

TEST_F(PrimaryLinkTest, SendsAFileAndThenWhatHappenedMeanwhile) {
  snapshots_.diskless = false;
  auto link = NewLink();
  ASSERT_EQ(Psync(*link, "?", "-1"), Answer::kNeedsSnapshot);
  schedule_.Add(*link, now_);
  const auto order = schedule_.Due(now_, snapshots_);
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->transfer, Transfer::kFile);
  schedule_.Begun(*order, End(), backlog_, {}, now_);
  EXPECT_FALSE(schedule_.Due(now_, snapshots_).has_value());
  EXPECT_EQ(link->TakeText(), "+FULLRESYNC " + Id() + " 10\r\n");
  backlog_.Append("abc");
  EXPECT_EQ(link->stream(), nullptr);
  const auto told = schedule_.Ended(SnapshotSchedule::Result::kWritten, 1234, now_);
  ASSERT_EQ(told.send_file, std::vector<PrimaryLink*>{link.get()});
  EXPECT_EQ(link->TakeText(), "$1234\r\n");
  EXPECT_EQ(link->state_name(), "send_bulk");
  EXPECT_EQ(link->stream(), nullptr);
  link->BulkSent(now_);
  EXPECT_EQ(link->state_name(), "online");
  EXPECT_EQ(Take(link->stream()), "abc");
}

TEST_F(PrimaryLinkTest, AFileIsJoinedWhileItIsWritten) {
  snapshots_.diskless = false;
  auto first = NewLink(), second = NewLink(), filtered = NewLink({"eof"});
  Psync(*first, "?", "-1");
  schedule_.Add(*first, now_);
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, {}, now_);
  // Far more than the backlog would keep for nobody; and the first leaves.
  backlog_.Append(std::string(1'000'000, 'x'));
  EXPECT_EQ(schedule_.Remove(*first), SnapshotSchedule::Left::kNobodyWaits);
  first.reset();
  Psync(*second, "?", "-1");
  schedule_.Add(*second, now_);
  EXPECT_EQ(second->TakeText(), "+FULLRESYNC " + Id() + " 10\r\n");
  EXPECT_EQ(second->pending_bytes(), 1'000'000u);
  Replconf(*filtered, {"rdb-filter-only", "functions"});
  Psync(*filtered, "?", "-1");
  schedule_.Add(*filtered, now_);
  EXPECT_EQ(schedule_.waiting(), 1u);
  EXPECT_EQ(schedule_.Ended(SnapshotSchedule::Result::kWritten, 5, now_).send_file.size(), 1u);
  // Nobody needs the beginning any more but the replica that has it to come.
  EXPECT_EQ(schedule_.Due(now_, snapshots_)->transfer, Transfer::kStream);
  EXPECT_TRUE(schedule_.Due(now_, snapshots_)->filter.without_data);
  schedule_.Remove(*filtered);
}

TEST_F(PrimaryLinkTest, ASnapshotOfAnOldHistoryIsNotJoined) {
  snapshots_.diskless = false;
  auto first = NewLink(), second = NewLink();
  Psync(*first, "?", "-1");
  schedule_.Add(*first, now_);
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, {}, now_);
  schedule_.Remove(*first);
  history_.Shift(ReplicationId::New(random_), 10);
  schedule_.HistoryChanged();
  Psync(*second, "?", "-1");
  schedule_.Add(*second, now_);
  EXPECT_EQ(second->TakeText(), "");
  EXPECT_TRUE(schedule_.Ended(SnapshotSchedule::Result::kWritten, 5, now_).send_file.empty());
  EXPECT_TRUE(schedule_.Due(now_, snapshots_).has_value());
  schedule_.Remove(*second);
}

TEST_F(PrimaryLinkTest, ADisklessPayloadEndsWithTheMarkAndTheStreamWaitsForAnAck) {
  const std::string mark(40, 'm');
  auto link = NewLink({"eof", "psync2"});
  Psync(*link, "?", "-1");
  schedule_.Add(*link, now_);
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, mark, now_);
  EXPECT_EQ(link->TakeText(), "+FULLRESYNC " + Id() + " 10\r\n$EOF:" + mark + "\r\n");
  EXPECT_EQ(schedule_.receivers(), std::vector<PrimaryLink*>{link.get()});
  EXPECT_EQ(link->state_name(), "wait_bgsave");
  // Too late for this one.
  auto late = NewLink({"eof"});
  Psync(*late, "?", "-1");
  schedule_.Add(*late, now_);
  EXPECT_EQ(late->TakeText(), "");
  backlog_.Append("abc");
  EXPECT_EQ(schedule_.Ended(SnapshotSchedule::Result::kWritten, 0, now_).finished.size(), 1u);
  EXPECT_EQ(link->TakeText(), mark);
  EXPECT_EQ(link->state_name(), "online");
  EXPECT_EQ(link->stream(), nullptr);
  Ack(*link, "10");
  EXPECT_EQ(Take(link->stream()), "abc");
  EXPECT_TRUE(schedule_.Due(now_, snapshots_).has_value());
  schedule_.Remove(*late);
}

TEST_F(PrimaryLinkTest, ADisklessSnapshotWaitsForOthersToComeAlong) {
  snapshots_ = {.diskless = true, .diskless_delay = 5000, .diskless_replicas_max = 2};
  auto a = NewLink({"eof"}), b = NewLink({"eof"}), no_eof = NewLink();
  Psync(*a, "?", "-1");
  schedule_.Add(*a, now_);
  EXPECT_FALSE(schedule_.Due(now_ + 4999, snapshots_).has_value());
  EXPECT_TRUE(schedule_.Due(now_ + 5000, snapshots_).has_value());
  // A replica that could not read it does not count.
  Psync(*no_eof, "?", "-1");
  schedule_.Add(*no_eof, now_);
  EXPECT_FALSE(schedule_.Due(now_ + 1, snapshots_).has_value());
  Psync(*b, "?", "-1");
  schedule_.Add(*b, now_ + 1);
  const auto order = schedule_.Due(now_ + 1, snapshots_);
  ASSERT_TRUE(order.has_value());
  schedule_.Begun(*order, End(), backlog_, std::string(40, 'm'), now_ + 1);
  EXPECT_EQ(schedule_.receivers().size(), 2u);
  EXPECT_EQ(schedule_.waiting(), 1u);
  EXPECT_EQ(schedule_.Ended(SnapshotSchedule::Result::kFailed, 0, now_).close.size(), 2u);
  EXPECT_EQ(schedule_.Due(now_ + 1, snapshots_)->transfer, Transfer::kFile);
  EXPECT_EQ(schedule_.BeginFailed(*schedule_.Due(now_, snapshots_)), std::vector<PrimaryLink*>{no_eof.get()});
  EXPECT_EQ(no_eof->TakeText(), "-ERR BGSAVE failed, replication can't continue\r\n");
  EXPECT_EQ(schedule_.waiting(), 0u);
}

TEST_F(PrimaryLinkTest, SyncSaysNothingOfIdAndOffset) {
  snapshots_.diskless = false;
  auto link = NewLink();
  EXPECT_EQ(link->OnSync(Side(), now_), Answer::kNeedsSnapshot);
  schedule_.Add(*link, now_);
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, {}, now_);
  EXPECT_EQ(link->TakeText(), "");
  schedule_.Ended(SnapshotSchedule::Result::kWritten, 3, now_);
  EXPECT_EQ(link->TakeText(), "$3\r\n");
  link->BulkSent(now_);
  // It never acknowledges, and is not taken for dead.
  EXPECT_EQ(link->OnTick(now_ + 1'000'000, settings_), PrimaryLink::Close::kNo);
}

TEST_F(PrimaryLinkTest, WhoWantsThePayloadAloneGetsNoMore) {
  snapshots_.diskless = false;
  auto link = NewLink();
  Replconf(*link, {"rdb-only", "1"});
  EXPECT_EQ(Psync(*link, Id(), "4"), Answer::kNeedsSnapshot);
  schedule_.Add(*link, now_);
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, {}, now_);
  schedule_.Ended(SnapshotSchedule::Result::kWritten, 3, now_);
  link->BulkSent(now_);
  EXPECT_EQ(link->state(), State::kTransmitted);
  EXPECT_EQ(link->stream(), nullptr);
  EXPECT_EQ(quorum_.size(), 0u);
}

// ---- acknowledgements and time ----

TEST_F(PrimaryLinkTest, AcknowledgementsCountForTheQuorumWhileItIsOnline) {
  auto link = NewLink();
  Psync(*link, Id(), "4");
  EXPECT_EQ(quorum_.size(), 1u);
  Take(link->stream());
  now_ += 2500;
  EXPECT_EQ(link->LagSeconds(now_), 2);
  Ack(*link, "8");
  EXPECT_EQ(link->LagSeconds(now_), 0);
  EXPECT_EQ(quorum_.Reached(1), 8u);
  Ack(*link, "7");  // does not go back
  EXPECT_EQ(quorum_.Reached(1), 8u);
  Ack(*link, "99999");  // more than was sent
  EXPECT_EQ(quorum_.Reached(1), 10u);
  Ack(*link, "-1");
  Ack(*link, "x");
  EXPECT_EQ(link->acknowledged(), 10u);
  link->OnReplconf(Words{"REPLCONF", "ACK", "10", "FACK", "9"}, now_);
  EXPECT_EQ(link->acknowledged_on_disk(), 9u);
  EXPECT_EQ(disk_quorum_.Reached(1), 9u);
  link.reset();
  EXPECT_EQ(quorum_.size(), 0u);
  EXPECT_EQ(disk_quorum_.size(), 0u);
}

// One replica must not count twice because its last connection has ended without a word.
TEST_F(PrimaryLinkTest, ALinkInDoubtDoesNotCountUntilItIsHeardOfAgain) {
  auto old_link = NewLink();
  Psync(*old_link, Id(), "4");
  Take(old_link->stream());
  Ack(*old_link, "8");
  auto new_link = NewLink();
  Psync(*new_link, Id(), "9");
  Ack(*new_link, "8");
  EXPECT_EQ(quorum_.CountAt(8), 2u);
  old_link->Doubt(now_);
  EXPECT_EQ(quorum_.CountAt(8), 1u);
  EXPECT_EQ(disk_quorum_.size(), 1u);
  Ack(*old_link, "9");  // was on its way
  EXPECT_EQ(quorum_.CountAt(8), 1u);
  // Two replicas behind one address: both live.
  now_ += 1000;
  Ack(*old_link, "9");
  EXPECT_EQ(quorum_.CountAt(8), 2u);
  EXPECT_EQ(disk_quorum_.size(), 2u);
}

TEST_F(PrimaryLinkTest, IsGoodAsLongAsItWasHeardOf) {
  auto link = NewLink();
  EXPECT_FALSE(link->Good(now_, 10));
  Psync(*link, Id(), "4");
  now_ += 10'000;
  EXPECT_TRUE(link->Good(now_, 10));
  EXPECT_FALSE(link->Good(now_, 9));
  link->OnNewline(now_);
  EXPECT_TRUE(link->Good(now_, 9));
  Ack(*link, "4");
  EXPECT_FALSE(link->Good(now_ + 11'000, 10));
}

TEST_F(PrimaryLinkTest, SilentReplicasTimeOut) {
  auto link = NewLink();
  Psync(*link, Id(), "4");
  EXPECT_EQ(link->OnTick(now_ + 60'000, settings_), PrimaryLink::Close::kNo);
  EXPECT_EQ(link->OnTick(now_ + 60'001, settings_), PrimaryLink::Close::kTimeout);
}

TEST_F(PrimaryLinkTest, WaitingReplicasGetNewlinesUntilThePayloadFlows) {
  auto link = NewLink({"eof"});
  Psync(*link, "?", "-1");
  schedule_.Add(*link, now_);
  EXPECT_EQ(link->OnTick(now_ + 999, settings_), PrimaryLink::Close::kNo);
  EXPECT_FALSE(link->has_text());
  link->OnTick(now_ + 1000, settings_);
  EXPECT_EQ(link->TakeText(), "\n");
  EXPECT_EQ(link->OnTick(now_ + 100'000, settings_), PrimaryLink::Close::kNo);
  link->TakeText();
  now_ += 100'000;
  schedule_.Begun(*schedule_.Due(now_, snapshots_), End(), backlog_, std::string(40, 'm'), now_);
  link->TakeText();
  EXPECT_EQ(link->OnTick(now_ + 50'000, settings_), PrimaryLink::Close::kNo);
  EXPECT_FALSE(link->has_text());
  link->OnProgress(now_ + 50'000);
  EXPECT_EQ(link->OnTick(now_ + 110'000, settings_), PrimaryLink::Close::kNo);
  EXPECT_EQ(link->OnTick(now_ + 110'001, settings_), PrimaryLink::Close::kTimeoutInFullSync);
  EXPECT_EQ(schedule_.Remove(*link), SnapshotSchedule::Left::kNobodyWaits);
}

TEST_F(PrimaryLinkTest, ReplicasThatDoNotReadAreClosed) {
  settings_.backlog_bytes = Backlog::kLimitMin;
  settings_.output_limit = {.hard_bytes = 1000, .soft_bytes = 500, .soft_millis = 2000};
  auto link = NewLink();
  Psync(*link, Id(), "11");
  backlog_.Append(std::string(600, 'x'));
  EXPECT_EQ(link->OnTick(now_, settings_), PrimaryLink::Close::kNo);
  EXPECT_EQ(link->OnTick(now_ + 2000, settings_), PrimaryLink::Close::kNo);
  EXPECT_EQ(link->OnTick(now_ + 2001, settings_), PrimaryLink::Close::kOutputLimit);
  Take(link->stream());
  EXPECT_EQ(link->OnTick(now_ + 2001, settings_), PrimaryLink::Close::kNo);
  // A hard limit below the size of the backlog is raised to it.
  backlog_.Append(std::string(Backlog::kLimitMin, 'x'));
  EXPECT_EQ(link->OnTick(now_ + 2002, settings_), PrimaryLink::Close::kNo);
  backlog_.Append("x");
  EXPECT_EQ(link->OnTick(now_ + 2003, settings_), PrimaryLink::Close::kOutputLimit);
}

TEST(StreamPings, AreDueOnceAPeriod) {
  StreamPings pings;
  EXPECT_TRUE(pings.Due(5000, 10'000));
  EXPECT_FALSE(pings.Due(14'999, 10'000));
  EXPECT_TRUE(pings.Due(15'000, 10'000));
}

}  // namespace
}  // namespace cinnabar::replication
