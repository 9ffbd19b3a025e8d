// A keyspace with a table for each hash slot, under commands: a slot that goes away, and sweeps over the
// tables.
#include "dispatch/slot_sweep.h"

#include "dispatch/services_for_test.h"
#include "keyspace/slot_keys.h"

namespace cinnabar::dispatch {
namespace {

class UntilGone final : public Waiting {
 public:
  bool Serve(Call& call, const keyspace::Key& key) override {
    if (call.db().Peek(key)) return false;
    call.reply().Simple("gone");
    return true;
  }
  bool wants_removals() const override { return true; }
};

void AwaitEnd(Call& call) {
  const keyspace::Key key = call.key(1);
  call.Block(std::make_unique<UntilGone>(), {&key, 1}, keyspace::kNever);
}

void Put(Call& call) {
  call.db().Create(call.key(1), keyspace::StringPayload("v"));
  call.Changed(config::kNotifyString, "put", call.key(1));
  call.reply().Ok();
}

// Drops the slot of a name.
void Drop(Call& call) {
  call.reply().Integer(static_cast<int64_t>(DropSlotKeys(call.dispatcher(), KeySlot(call.arg(1)))));
}

void Begin(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

void Finish(Call& call) {
  call.dispatcher().RunQueued(call.session());
}

constexpr CommandSpec Spec(std::string_view name, int arity, uint64_t flags, Handler run) {
  return {.name = name,
          .summary = "s",
          .since = "1",
          .group = "string",
          .arity = arity,
          .flags = flags,
          .keys = {},
          .run = run};
}

constexpr CommandSpec kCommands[] = {
    {.name = "put",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 2,
     .flags = Flag::kWrite,
     .keys = {OneKey(KeyUse::kOw)},
     .run = Put},
    {.name = "await",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 2,
     .flags = Flag::kBlocking,
     .keys = {OneKey(KeyUse::kRo)},
     .run = AwaitEnd},
    Spec("drop", 2, Flag::kWorld, Drop),
    Spec("begin", 1, Flag::kControlsTransaction, Begin),
    Spec("finish", 1, Flag::kControlsTransaction | Flag::kRunsTransaction, Finish),
};
static_assert(Valid(kCommands));

class SlotSweepTest : public DispatchTest {
 protected:
  SlotSweepTest() : DispatchTest(kCommands, keyspace::Layout::kBySlot) {}

  void PutAll(const std::vector<std::string>& names) {
    for (const std::string& name : names) EXPECT_EQ(Run({"put", name}), "+OK\r\n");
    Journal();
    events_.seen.clear();
  }
  size_t Count(std::string_view name) { return CountKeysInSlot(keyspace_, 0, KeySlot(name)); }

  Session other_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

TEST_F(SlotSweepTest, EachKeyOfTheSlotGoesWithARecordOfItsOwn) {
  PutAll({"{a}1", "{a}2", "b"});
  EXPECT_EQ(DropSlotKeys(*dispatcher_, KeySlot("a")), 2u);
  const std::string journal = Journal();
  EXPECT_TRUE(journal == "DEL {a}1 | DEL {a}2" || journal == "DEL {a}2 | DEL {a}1") << journal;
  EXPECT_EQ(keyspace_.Size(0), 1u);
  EXPECT_EQ(Count("a"), 0u);
  EXPECT_EQ(Count("b"), 1u);
  EXPECT_EQ(DropSlotKeys(*dispatcher_, KeySlot("a")), 0u);
  EXPECT_EQ(Journal(), "");
  EXPECT_TRUE(events_.seen.empty()) << "the keys live on, elsewhere";
}

TEST_F(SlotSweepTest, TheServersOwnRemovalsMayBeLazy) {
  config_.Mutable().memory.lazyfree_lazy_server_del = true;
  PutAll({"a"});
  EXPECT_EQ(DropSlotKeys(*dispatcher_, KeySlot("a")), 1u);
  EXPECT_EQ(Journal(), "UNLINK a");
}

TEST_F(SlotSweepTest, WhoWatchesAKeyOfTheSlotIsTold) {
  PutAll({"a", "b"});
  keyspace::Watcher of_a, of_b;
  keyspace_.Watch(0, keyspace_.KeyOf("a"), of_a);
  keyspace_.Watch(0, keyspace_.KeyOf("b"), of_b);
  DropSlotKeys(*dispatcher_, KeySlot("a"));
  EXPECT_TRUE(of_a.dirty);
  EXPECT_FALSE(of_b.dirty);
  keyspace_.Unwatch(0, keyspace_.KeyOf("a"), of_a);
  keyspace_.Unwatch(0, keyspace_.KeyOf("b"), of_b);
}

TEST_F(SlotSweepTest, WhoWaitsForTheEndOfAKeyIsServed) {
  PutAll({"a"});
  for (const bool inside : {false, true}) {
    ASSERT_EQ(Execute(other_, {"await", "a"}), Dispatcher::Outcome::kBlocked);
    if (inside) {
      EXPECT_EQ(Run({"drop", "a"}), ":1\r\n");
    } else {
      EXPECT_EQ(DropSlotKeys(*dispatcher_, KeySlot("a")), 1u);
    }
    ASSERT_TRUE(other_.blocked->done());
    dispatcher_->blocked().Complete(other_);
    EXPECT_EQ(Take(other_.output), "+gone\r\n");
    EXPECT_EQ(Journal(), "DEL a");
    PutAll({"a"});
  }
}

TEST_F(SlotSweepTest, TheReplyOfACommandWaitsForTheRecords) {
  services_.alarms |= Alarm::kHoldReplies;
  PutAll({"{a}1", "{a}2"});
  EXPECT_EQ(Run({"drop", "a"}), ":2\r\n");
  EXPECT_EQ(session_.hold_until, journal_.offset());
  EXPECT_EQ(keyspace_.journal_offset(keyspace::Keyspace::ShardOf(keyspace_.HashOf("a"))), journal_.offset());
}

TEST_F(SlotSweepTest, InATransactionTheRecordsStandInItsOrder) {
  PutAll({"{a}1"});
  Run({"begin"});
  for (const char* name : {"b", "c"}) {
    Run({"put", name});
    Run({"drop", name});
  }
  Run({"drop", "a"});
  EXPECT_EQ(Run({"finish"}), "*5\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n:1\r\n");
  EXPECT_EQ(Journal(), "MULTI | put b | DEL b | put c | DEL c | DEL {a}1 | EXEC");
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(SlotSweepTest, AReplicaAddsNothingToTheStream) {
  PutAll({"a"});
  dispatcher_->SetFollows(true);
  const uint64_t before = journal_.offset();
  EXPECT_EQ(DropSlotKeys(*dispatcher_, KeySlot("a")), 1u);
  EXPECT_EQ(journal_.offset(), before);
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(SlotSweepTest, ExpiryComesToEverySlot) {
  constexpr int kKeys = 4000;
  keyspace::Database database(dispatcher_->core(), 0);
  const Millis later = dispatcher_->core().now + 1000000;
  for (int i = 0; i < kKeys; ++i) {
    const std::string name = std::to_string(i);
    database.Create(keyspace_.KeyOf(name), keyspace::StringPayload("v"), i % 2 == 0 ? 1 : later + i);
  }
  EXPECT_EQ(dispatcher_->expiry().Run(100'000'000), kKeys / 2);
  EXPECT_EQ(keyspace_.Size(0), kKeys / 2);
  EXPECT_EQ(dispatcher_->expiry().NextExpiry(), later + 1);
}

// All slots of a shard together count when a hold is long enough.
TEST_F(SlotSweepTest, AShardIsHeldForALimitedNumberOfExpiredKeys) {
  constexpr size_t kKeys = 3000, kMostAtOnce = 256 + 64;
  keyspace::Database database(dispatcher_->core(), 0);
  const Millis later = dispatcher_->core().now + 1000000;
  size_t made = 0;
  for (int i = 0; made < 2 * kKeys; ++i) {
    const std::string name = std::to_string(i);
    const keyspace::Key key = keyspace_.KeyOf(name);
    if (keyspace::Keyspace::ShardOf(key.hash) % 512 != 77) continue;
    database.Create(key, keyspace::StringPayload("v"), made++ % 2 == 0 ? 1 : later);
  }
  uint64_t removed = 0;
  for (int i = 0; i < 100000 && dispatcher_->expiry().NextExpiry() != later; ++i) {
    const uint64_t at_once = dispatcher_->expiry().Run(0);
    ASSERT_LE(at_once, kMostAtOnce);
    removed += at_once;
  }
  EXPECT_EQ(removed, kKeys);
  EXPECT_EQ(dispatcher_->expiry().NextExpiry(), later);
}

}  // namespace
}  // namespace cinnabar::dispatch
