// The gates, transactions, effects and slices of the dispatcher, with commands made for the purpose.
#include "dispatch/dispatcher.h"

#include "dispatch/services_for_test.h"
#include "keyspace/entry_holder.h"
#include "types/hash.h"

namespace cinnabar::dispatch {
namespace {

void Put(Call& call) {
  const keyspace::Key key = call.key(1);
  auto payload = keyspace::StringPayload(call.arg(2));
  keyspace::EntryRef entry = call.db().FindToChange(key);
  if (entry) {
    call.db().Replace(entry, payload);
  } else {
    call.db().Create(key, payload);
  }
  call.Changed(config::kNotifyString, "put", key);
  call.reply().Ok();
}

void Read(Call& call) {
  keyspace::EntryRef entry = call.db().FindRead(call.key(1));
  if (!entry) return call.reply().Null();
  keyspace::DigitScratch scratch;
  call.reply().Bulk(keyspace::StringBytes(*entry, scratch));
}

// Effects other than the command itself: two for "both", none for "none".
void Translate(Call& call) {
  if (call.arg(2) == "both") {
    call.Propagate({"put", call.arg(1), "a"});
    call.Propagate({"put", call.arg(1), "b"});
  } else {
    call.PropagateNothing();
  }
  call.Changed(config::kNotifyGeneric, "translated", call.key(1));
  call.reply().Ok();
}

void Begin(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

void Finish(Call& call) {
  if (call.session().transaction.rejected) {
    call.session().transaction.Reset();
    return call.reply().Error("EXECABORT");
  }
  call.dispatcher().RunQueued(call.session());
}

// For as long as nobody ends it.
void Pause(Call& call) {
  call.services().pause = {.mode = PauseMode::kWrites, .until = keyspace::kNever};
  call.dispatcher().SetPaused(true);
  call.reply().Ok();
}

class Counting final : public Continuation {
 public:
  Progress Step(Call& call) override {
    if (--left_ > 0) return Progress::kMore;
    call.reply().Simple("counted");
    return Progress::kDone;
  }

 private:
  int left_ = 3;
};

void Slices(Call& call) {
  call.Suspend(std::make_unique<Counting>());
}
void Hello(Call& call) {
  call.reply().Simple("hello");
}
void Say(Call& call) {
  call.Propagate(call.argv());
  call.reply().Ok();
}
void Secret(Call& call) {
  call.Redact(1);
  call.reply().Ok();
}

constexpr CommandSpec kCommands[] = {
    {.name = "put",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 3,
     .flags = Flag::kWrite,
     .keys = {OneKey(KeyUse::kOw)},
     .run = Put},
    {.name = "read",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 2,
     .flags = Flag::kReadOnly,
     .keys = {OneKey(KeyUse::kRo)},
     .run = Read},
    {.name = "translate",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 3,
     .flags = Flag::kWrite,
     .keys = {OneKey(KeyUse::kRw)},
     .run = Translate},
    {.name = "begin",
     .summary = "s",
     .since = "1",
     .group = "transactions",
     .arity = 1,
     .flags = Flag::kControlsTransaction,
     .run = Begin},
    {.name = "finish",
     .summary = "s",
     .since = "1",
     .group = "transactions",
     .arity = 1,
     .flags = Flag::kControlsTransaction | Flag::kRunsTransaction,
     .run = Finish},
    {.name = "pause", .summary = "s", .since = "1", .group = "connection", .arity = 1, .run = Pause},
    {.name = "slices", .summary = "s", .since = "1", .group = "generic", .arity = 1, .run = Slices},
    {.name = "hello",
     .summary = "s",
     .since = "1",
     .group = "connection",
     .arity = -1,
     .flags = Flag::kNoAuth,
     .run = Hello},
    {.name = "alone",
     .summary = "s",
     .since = "1",
     .group = "connection",
     .arity = 1,
     .flags = Flag::kNoMulti,
     .run = Hello},
    {.name = "guarded",
     .summary = "s",
     .since = "1",
     .group = "server",
     .arity = 1,
     .flags = Flag::kProtected,
     .run = Hello},
    {.name = "say",
     .summary = "s",
     .since = "1",
     .group = "pubsub",
     .arity = 2,
     .flags = Flag::kMayReplicate,
     .run = Say},
    {.name = "look",
     .summary = "s",
     .since = "1",
     .group = "server",
     .arity = 1,
     .flags = Flag::kWorld,
     .run = Hello},
    {.name = "secret", .summary = "s", .since = "1", .group = "connection", .arity = 2, .run = Secret},
    {.name = "box", .summary = "s", .since = "1", .group = "server", .arity = -2},
    {.name = "box|open", .summary = "s", .since = "1", .group = "server", .arity = 3, .run = Hello},
};
static_assert(Valid(kCommands));

class DispatcherTest : public DispatchTest {
 protected:
  DispatcherTest() : DispatchTest(kCommands) {}

  void Watch(Session& session, const std::string& name) {
    const keyspace::Key key = keyspace_.KeyOf(name);
    keyspace_.Watch(0, key, session.transaction.watcher);
    session.transaction.watched.push_back({0, name, key.hash, false});
  }
};

TEST_F(DispatcherTest, UnknownCommandsAndWrongCounts) {
  EXPECT_EQ(Run({"nosuch", "a"}), "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n");
  EXPECT_EQ(Run({"PUT", "a"}), "-ERR wrong number of arguments for 'put' command\r\n");
  EXPECT_EQ(Run({"box"}), "-ERR wrong number of arguments for 'box' command\r\n");
  EXPECT_EQ(Run({"box", "shut", "x"}), "-ERR unknown subcommand 'shut'. Try BOX HELP.\r\n");
  EXPECT_EQ(Run({"box", "open"}), "-ERR wrong number of arguments for 'box|open' command\r\n");
  EXPECT_EQ(Run({"BOX", "OPEN", "x"}), "+hello\r\n");
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(DispatcherTest, StrangersAndProtectedCommands) {
  access_.users().SetDefaultPassword("secret");
  access_.Connect(session_);
  EXPECT_TRUE(Run({"read", "k"}).starts_with("-NOAUTH "));
  EXPECT_EQ(Run({"hello"}), "+hello\r\n");
  access_.LogIn(session_, access_.users().Authenticate("default", "secret"));
  EXPECT_TRUE(Run({"guarded"}).starts_with("-ERR DEBUG command not allowed."));
  config_.Mutable().security.enable_debug_command = config::Permission::kLocal;
  EXPECT_TRUE(Run({"guarded"}).starts_with("-ERR DEBUG command not allowed."));
  session_.facts.loopback = true;
  EXPECT_EQ(Run({"guarded"}), "+hello\r\n");
}

TEST_F(DispatcherTest, ChangesAreJournaledNotifiedAndCounted) {
  EXPECT_EQ(Run({"put", "k", "1"}), "+OK\r\n");
  EXPECT_EQ(Journal(), "SELECT 0 | put k 1");
  EXPECT_EQ(Run({"read", "k"}), "$1\r\n1\r\n");
  EXPECT_EQ(Journal(), "");
  session_.database = 2;
  Run({"put", "k", "2"});
  EXPECT_EQ(Journal(), "SELECT 2 | put k 2");
  EXPECT_EQ(events_.seen, (std::vector<std::string>{"0 new k", "0 put k", "2 new k", "2 put k"}));
  EXPECT_EQ(dispatcher_->telemetry().counters().changes.Get(), 2u);
}

TEST_F(DispatcherTest, CommandsMayStateOtherEffects) {
  Run({"translate", "k", "both"});
  EXPECT_EQ(Journal(), "MULTI | SELECT 0 | put k a | put k b | EXEC");
  Run({"translate", "k", "none"});
  EXPECT_EQ(Journal(), "");
}

TEST_F(DispatcherTest, TransactionsRunAtOnceAndAreOnePieceOfTheJournal) {
  EXPECT_EQ(Run({"begin"}), "+OK\r\n");
  EXPECT_EQ(Run({"put", "a", "1"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"read", "a"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"translate", "b", "both"}), "+QUEUED\r\n");
  EXPECT_EQ(keyspace_.Size(0), 0u);
  EXPECT_EQ(Journal(), "");
  EXPECT_EQ(Run({"finish"}), "*3\r\n+OK\r\n$1\r\n1\r\n+OK\r\n");
  EXPECT_EQ(Journal(), "MULTI | SELECT 0 | put a 1 | put b a | put b b | EXEC");
  EXPECT_FALSE(session_.in_transaction());
  Run({"begin"});
  Run({"put", "a", "2"});
  Run({"finish"});
  EXPECT_EQ(Journal(), "put a 2") << "one effect needs no transaction";
}

TEST_F(DispatcherTest, WhatCannotBeQueuedSpoilsTheTransaction) {
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"put", "a"}, {"nosuch"}, {"alone"}, {"guarded"}}) {
    Run({"begin"});
    EXPECT_TRUE(Run(bad).starts_with("-ERR ")) << bad[0];
    EXPECT_EQ(Run({"put", "a", "1"}), "+QUEUED\r\n");
    EXPECT_EQ(Run({"finish"}), "-EXECABORT\r\n") << bad[0];
  }
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(DispatcherTest, AWatchedKeyMakesTheWatcherDirty) {
  Watch(session_, "k");
  Session other(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  Run(other, {"put", "x", "1"});
  EXPECT_FALSE(session_.transaction.watcher.dirty);
  Run(other, {"put", "k", "1"});
  EXPECT_TRUE(session_.transaction.watcher.dirty);
  dispatcher_->Unwatch(session_, Dispatcher::Held::kNo);
  EXPECT_FALSE(session_.transaction.watcher.dirty);
  Run(other, {"put", "k", "2"});
  EXPECT_FALSE(session_.transaction.watcher.dirty);
}

TEST_F(DispatcherTest, NobodyWaitsForAMessageThatAnotherOneHasSent) {
  services_.alarms |= Alarm::kHoldReplies;
  Session other(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"look"}, {"read", "k"}}) {
    const uint64_t before = journal_.offset();
    Run({"say", "something"});
    ASSERT_GT(journal_.offset(), before);
    Run(other, words);
    EXPECT_EQ(other.hold_until, 0u) << words[0];
  }
}

TEST_F(DispatcherTest, WhatWasWrittenWhileNobodyWaitedHoldsNobodyLater) {
  Run({"put", "k", "1"});
  services_.alarms |= Alarm::kHoldReplies;
  Session other(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  Run(other, {"look"});
  EXPECT_EQ(other.hold_until, 0u);
}

// A sentinel makes a server a primary in a transaction, and points replicas at it once it has the answer.
TEST_F(DispatcherTest, ATransactionWaitsIfOneOfItsCommandsTellsOfData) {
  services_.alarms |= Alarm::kHoldReplies;
  Run({"put", "k", "1"});
  Session other(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  for (const char* word : {"begin", "look", "hello", "finish"}) Run(other, {word});
  EXPECT_EQ(other.hold_until, 0u);
  Run(other, {"begin"});
  Run(other, {"look"});
  Run(other, {"read", "elsewhere"});
  EXPECT_EQ(Run(other, {"finish"}), "*2\r\n+hello\r\n$-1\r\n");
  EXPECT_EQ(other.hold_until, journal_.offset()) << "with the world stopped it may be any key";
  other.hold_until = 0;
  // That it has run tells that nobody has written to the key.
  Watch(other, "k");
  for (const char* word : {"begin", "look", "finish"}) Run(other, {word});
  EXPECT_EQ(other.hold_until, journal_.offset());
}

TEST_F(DispatcherTest, SlicesKeepTheSessionWaiting) {
  EXPECT_EQ(Execute(session_, {"slices"}), Dispatcher::Outcome::kSuspended);
  EXPECT_TRUE(session_.suspended);
  EXPECT_FALSE(dispatcher_->Step(session_));
  EXPECT_FALSE(dispatcher_->Step(session_));
  EXPECT_EQ(Take(session_.output), "");
  EXPECT_TRUE(dispatcher_->Step(session_));
  EXPECT_EQ(Take(session_.output), "+counted\r\n");
  EXPECT_FALSE(session_.suspended);
}

TEST_F(DispatcherTest, RepliesCanBeSwitchedOff) {
  session_.reply_mode = ReplyMode::kSkipNext;
  EXPECT_EQ(Run({"hello"}), "");
  EXPECT_EQ(Run({"hello"}), "") << "SKIP is answered by silence, and so is the command behind it";
  EXPECT_EQ(Run({"hello"}), "+hello\r\n");
  session_.reply_mode = ReplyMode::kOff;
  EXPECT_EQ(Run({"hello"}), "");
  EXPECT_EQ(Run({"nosuch"}), "");
  session_.reply_mode = ReplyMode::kOn;
  EXPECT_EQ(Run({"hello"}), "+hello\r\n");
}

TEST_F(DispatcherTest, APausePostpones) {
  pause_ = {.mode = PauseMode::kWrites, .until = dispatcher_->core().now + 100000};
  EXPECT_EQ(Execute(session_, {"put", "k", "1"}), Dispatcher::Outcome::kPostponed);
  EXPECT_EQ(Run({"read", "k"}), "$-1\r\n");
  pause_.mode = PauseMode::kAll;
  EXPECT_EQ(Execute(session_, {"read", "k"}), Dispatcher::Outcome::kPostponed);
  pause_.until = dispatcher_->core().now;
  EXPECT_EQ(Run({"read", "k"}), "$-1\r\n");
}

// Writes that come past a pause are no reads that only hide what has expired: there would be two keys.
TEST_F(DispatcherTest, AWriteRightBehindAPauseReplacesWhatHasExpired) {
  keyspace::Database(dispatcher_->core(), 0).Create(keyspace_.KeyOf("k"), keyspace::StringPayload("old"), 1);
  pause_ = {.mode = PauseMode::kWrites, .until = dispatcher_->core().now + 100000};
  dispatcher_->SetPaused(true);
  EXPECT_EQ(Run({"read", "k"}), "$-1\r\n");
  EXPECT_EQ(keyspace_.Size(0), 1u) << "a read of a paused server changes nothing";
  pause_.until = dispatcher_->core().now;  // nobody has ended it yet
  EXPECT_EQ(Run({"put", "k", "new"}), "+OK\r\n");
  EXPECT_EQ(keyspace_.Size(0), 1u);
  EXPECT_EQ(Journal(), "MULTI | SELECT 0 | DEL k | put k new | EXEC");
  EXPECT_FALSE(dispatcher_->core().may_expire);
}

TEST_F(DispatcherTest, AWriteBehindAPauseOfItsOwnTransactionReplacesWhatHasExpired) {
  keyspace::Database(dispatcher_->core(), 0).Create(keyspace_.KeyOf("k"), keyspace::StringPayload("old"), 1);
  Run({"begin"});
  Run({"pause"});
  Run({"put", "k", "new"});
  EXPECT_EQ(Run({"finish"}), "*2\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(keyspace_.Size(0), 1u);
  EXPECT_EQ(Journal(), "MULTI | SELECT 0 | DEL k | put k new | EXEC");
  EXPECT_EQ(Execute(session_, {"put", "k", "later"}), Dispatcher::Outcome::kPostponed);
  EXPECT_FALSE(dispatcher_->core().may_expire);
}

TEST_F(DispatcherTest, ExpiredKeysGoByThemselvesAndAreJournaled) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = "k" + std::to_string(i);
    const keyspace::Key key = keyspace_.KeyOf(name);
    keyspace::Database database(dispatcher_->core(), 0);
    database.Create(key, keyspace::StringPayload("v"), i < 60 ? 1 : keyspace::kNever);
  }
  events_.seen.clear();
  uint64_t removed = 0;
  for (int i = 0; i < 1000 && removed < 60; ++i) removed += dispatcher_->expiry().Run(1000000);
  EXPECT_EQ(removed, 60u);
  EXPECT_EQ(keyspace_.Size(0), 40u);
  EXPECT_EQ(events_.seen.size(), 60u);
  EXPECT_NE(Journal().find("DEL k7"), std::string::npos);
}

TEST_F(DispatcherTest, ExpiredFieldsGoByThemselvesAndAreJournaled) {
  constexpr int kFields = 1000;
  const keyspace::Key key = keyspace_.KeyOf("h");
  keyspace::Database database(dispatcher_->core(), 0);
  keyspace::EntryHolder holder(database.Create(
      key,
      {.type = types::Type::kHash, .place = keyspace::Place::kInline, .bytes = types::Hash::kEmptyPacked}));
  types::Hash hash(holder);
  for (int i = 0; i < kFields; ++i) {
    const std::string field = "f" + std::to_string(i);
    hash.Set(field, "v", {});
    hash.SetExpiry(hash.Find(field), field, 1);
  }
  database.NoteFieldExpiry(key, *holder.entry());
  EXPECT_LE(dispatcher_->expiry().NextExpiry(), dispatcher_->core().now);
  uint64_t removed = 0;
  for (int i = 0; i < 1000 && removed < kFields; ++i) removed += dispatcher_->expiry().Run(1000000);
  EXPECT_EQ(removed, static_cast<uint64_t>(kFields));
  EXPECT_EQ(keyspace_.Size(0), 0u);
  EXPECT_NE(Journal().find("HDEL h f"), std::string::npos);
  dispatcher_->expiry().Run(1000000);
  EXPECT_EQ(dispatcher_->expiry().NextExpiry(), keyspace::kNever);
}

// With no time to spend a sweep holds a shard once.
TEST_F(DispatcherTest, AShardIsHeldForALimitedNumberOfExpiredKeys) {
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
  EXPECT_EQ(keyspace_.Size(0), kKeys);
  EXPECT_EQ(dispatcher_->expiry().NextExpiry(), later);
}

// With time to spend it comes back to a shard at once, and knows then when the next key expires.
TEST_F(DispatcherTest, ASweepRemovesAllExpiredKeysOfAShard) {
  constexpr size_t kKeys = 3000;
  keyspace::Database database(dispatcher_->core(), 0);
  const Millis later = dispatcher_->core().now + 1000000;
  size_t made = 0;
  for (int i = 0; made < 2 * kKeys; ++i) {
    const std::string name = std::to_string(i);
    const keyspace::Key key = keyspace_.KeyOf(name);
    if (keyspace::Keyspace::ShardOf(key.hash) != 77) continue;
    database.Create(key, keyspace::StringPayload("v"), made++ % 2 == 0 ? 1 : later);
  }
  EXPECT_EQ(dispatcher_->expiry().Run(100'000'000), kKeys);
  EXPECT_EQ(dispatcher_->expiry().NextExpiry(), later);
}

TEST_F(DispatcherTest, AShardIsHeldForALimitedNumberOfExpiredFields) {
  constexpr size_t kHashes = 300, kFields = 20;
  keyspace::Database database(dispatcher_->core(), 0);
  size_t made = 0;
  for (int i = 0; made < kHashes; ++i) {
    const std::string name = std::to_string(i);
    const keyspace::Key key = keyspace_.KeyOf(name);
    if (keyspace::Keyspace::ShardOf(key.hash) % 512 != 77) continue;
    ++made;
    keyspace::EntryHolder holder(database.Create(
        key,
        {.type = types::Type::kHash, .place = keyspace::Place::kInline, .bytes = types::Hash::kEmptyPacked}));
    types::Hash hash(holder);
    for (size_t f = 0; f < kFields; ++f) {
      const std::string field = std::to_string(f);
      hash.Set(field, "v", {});
      hash.SetExpiry(hash.Find(field), field, 1);
    }
    database.NoteFieldExpiry(key, *holder.entry());
  }
  uint64_t removed = 0;
  for (int i = 0; i < 100000 && dispatcher_->expiry().NextExpiry() != keyspace::kNever; ++i) {
    const uint64_t at_once = dispatcher_->expiry().Run(0);
    ASSERT_LE(at_once, 256u);
    removed += at_once;
  }
  EXPECT_EQ(removed, kHashes * kFields);
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(DispatcherTest, MonitorsSeeQuotedAndRedactedArguments) {
  monitors_ = 1;
  Run({"put", "k", "a\n\"b\""});
  Run({"secret", "password"});
  ASSERT_EQ(clients_.monitored.size(), 2u);
  EXPECT_TRUE(clients_.monitored[0].ends_with("\"put\" \"k\" \"a\\n\\\"b\\\"\"\r\n"))
      << clients_.monitored[0];
  EXPECT_TRUE(clients_.monitored[1].ends_with("\"secret\" \"(redacted)\"\r\n")) << clients_.monitored[1];
}

}  // namespace
}  // namespace cinnabar::dispatch
