// What runs in the turn of a long command is a run of its own, whatever that command was about.
#include <deque>
#include <functional>

#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Key;
using keyspace::Keyspace;

// Takes long over its key.
void Dwell(Call& call) {
  call.db().FindRead(call.key(1));
  call.Yield();
  call.reply().Simple("dwelt");
}

void Put(Call& call) {
  const Key key = call.key(1);
  const auto payload = keyspace::StringPayload("new");
  if (keyspace::EntryRef entry = call.db().FindToChange(key)) {
    call.db().Replace(entry, payload);
  } else {
    call.db().Create(key, payload);
  }
  call.Changed(config::kNotifyString, "put", key);
  call.reply().Ok();
}

void Read(Call& call) {
  call.reply().Integer(call.db().FindRead(call.key(1)) ? 1 : 0);
}

class UntilMoved final : public Waiting {
 public:
  bool Serve(Call& call, const Key& key) override {
    const keyspace::EntryRef entry = call.db().FindToChange(key);
    if (!entry) return false;
    call.db().Erase(key, entry);
    const Key to = call.core().keyspace.KeyOf("to");
    call.db().Create(to, keyspace::StringPayload("moved"));
    call.Changed(config::kNotifyString, "moved", to);
    call.Propagate({"move", key.bytes});
    call.reply().Simple("moved");
    return true;
  }
  std::string_view also() const override { return "to"; }
};

void Move(Call& call) {
  const Key key = call.key(1);
  call.Block(std::make_unique<UntilMoved>(), {&key, 1}, keyspace::kNever);
}

// As a move to a key of another type.
class UntilRefused final : public Waiting {
 public:
  bool Serve(Call& call, const Key& key) override {
    if (!call.db().FindRead(key)) return false;
    call.reply().Error("WRONGTYPE");
    return true;
  }
  std::string_view also() const override { return "to"; }
};

void Refuse(Call& call) {
  const Key key = call.key(1);
  call.Block(std::make_unique<UntilRefused>(), {&key, 1}, keyspace::kNever);
}

constexpr CommandSpec Spec(std::string_view name, uint64_t flags, KeySpec key, void (*run)(Call&)) {
  return {.name = name,
          .summary = "s",
          .since = "1",
          .group = "string",
          .arity = 2,
          .flags = flags,
          .keys = {key},
          .run = run};
}

constexpr CommandSpec kCommands[] = {
    Spec("dwell", Flag::kReadOnly, OneKey(KeyUse::kRo), Dwell),
    Spec("put", Flag::kWrite, OneKey(KeyUse::kOw), Put),
    Spec("read", Flag::kReadOnly, OneKey(KeyUse::kRo), Read),
    Spec("refuse", Flag::kWrite | Flag::kBlocking, OneKey(KeyUse::kRw), Refuse),
    Spec("move", Flag::kWrite | Flag::kBlocking, OneKey(KeyUse::kRw), Move),
};
static_assert(Valid(kCommands));

class YieldingTest : public DispatchTest, public Bystanders {
 protected:
  YieldingTest() : DispatchTest(kCommands) {
    dispatcher_->long_commands().SetBystanders(*this);
    dispatcher_->long_commands().YieldAlways();
  }

  // What runs in the first turn, in the first turn of what runs there, and so on.
  void Serve(const TurnWait&) override {
    if (turns_.empty()) return;
    const std::function<void()> turn = std::move(turns_.front());
    turns_.pop_front();
    turn();
  }
  bool OthersCaughtUp(Session&) override { return true; }
  void LongCommandEnded() override { ++ended_; }

  std::string RunApart(Session& session, const std::vector<std::string>& words) {
    Batch batch;
    for (const std::string& word : words) batch.arguments.push_back(word);
    dispatcher_->preparer().Prepare(batch, session, 0);
    dispatcher_->Execute(session, batch, batch.requests[0]);
    return Take(session.output);
  }
  void MakeExpired(const std::string& name) {
    keyspace::Database(dispatcher_->core(), 0)
        .Create(keyspace_.KeyOf(name), keyspace::StringPayload("old"), 1);
  }
  uint64_t OffsetOf(const std::string& name) {
    return keyspace_.journal_offset(Keyspace::ShardOf(keyspace_.HashOf(name)));
  }

  std::deque<std::function<void()>> turns_;
  int ended_ = 0;
  Session second_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
  Session third_{3, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

// The read beside the long command must hide what has expired. A write in its turn is no such read.
TEST_F(YieldingTest, AWriteInTheTurnOfAReadBesideAnotherReplacesWhatHasExpired) {
  Run({"put", "long"});
  MakeExpired("k");
  Journal();
  turns_.push_back([&] { EXPECT_EQ(RunApart(second_, {"dwell", "long"}), "+dwelt\r\n"); });
  turns_.push_back([&] { EXPECT_EQ(RunApart(third_, {"put", "k"}), "+OK\r\n"); });
  EXPECT_EQ(Run({"dwell", "long"}), "+dwelt\r\n");
  EXPECT_TRUE(turns_.empty());
  EXPECT_EQ(ended_, 2);
  EXPECT_EQ(keyspace_.Size(0), 2u);
  EXPECT_EQ(Journal(), "MULTI | DEL k | put k | EXEC");
  EXPECT_EQ(Run({"read", "k"}), ":1\r\n");
}

TEST_F(YieldingTest, AReadBesideALongCommandLeavesWhatHasExpired) {
  turns_.push_back([&] {
    MakeExpired("long");  // as if its time had come in between
    EXPECT_EQ(RunApart(second_, {"read", "long"}), ":0\r\n");
    EXPECT_EQ(keyspace_.Size(0), 1u);
  });
  Run({"dwell", "long"});
  EXPECT_TRUE(turns_.empty());
  EXPECT_EQ(Run({"read", "long"}), ":0\r\n");
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(YieldingTest, WhatADeferredWaiterWroteIsKnownOfItsShardsAndOfNoOther) {
  ASSERT_EQ(RunApart(second_, {"move", "from"}), "");
  services_.alarms |= Alarm::kHoldReplies;
  turns_.push_back([&] { EXPECT_EQ(RunApart(third_, {"put", "from"}), "+OK\r\n"); });
  Run({"dwell", "to"});
  ASSERT_TRUE(second_.blocked->done());
  EXPECT_EQ(OffsetOf("from"), journal_.offset());
  EXPECT_EQ(OffsetOf("to"), journal_.offset());
  dispatcher_->blocked().Complete(second_);
  EXPECT_EQ(second_.hold_until, journal_.offset());
  Session reader(4, OutputBuffer(OutputBuffer::kFixedBytesMin));
  EXPECT_EQ(RunApart(reader, {"read", "elsewhere"}), ":0\r\n");
  EXPECT_EQ(reader.hold_until, 0u);
  EXPECT_EQ(RunApart(reader, {"read", "from"}), ":0\r\n");
  EXPECT_EQ(reader.hold_until, journal_.offset());
}

TEST_F(YieldingTest, ADeferredWaiterThatIsRefusedForgetsNothingOfWhatItHasSeen) {
  services_.alarms |= Alarm::kHoldReplies;
  ASSERT_EQ(RunApart(second_, {"refuse", "from"}), "");
  turns_.push_back([&] { EXPECT_EQ(RunApart(third_, {"put", "from"}), "+OK\r\n"); });
  Run({"put", "to"});
  const uint64_t known = OffsetOf("to");
  ASSERT_GT(known, 0u);
  Run({"dwell", "to"});
  ASSERT_TRUE(second_.blocked->done());
  EXPECT_EQ(OffsetOf("to"), known);
  dispatcher_->blocked().Complete(second_);
  EXPECT_GE(second_.hold_until, known) << "the refusal tells of the other key";
}

TEST_F(YieldingTest, TheWorldIsNotFreeWhileALongCommandRuns) {
  EXPECT_TRUE(dispatcher_->long_commands().WorldIsFree());
  bool asked = false;
  turns_.push_back([&] {
    asked = true;
    EXPECT_FALSE(dispatcher_->long_commands().WorldIsFree());
  });
  Run({"dwell", "long"});
  EXPECT_TRUE(asked);
  EXPECT_TRUE(dispatcher_->long_commands().WorldIsFree());
}

}  // namespace
}  // namespace cinnabar::dispatch
