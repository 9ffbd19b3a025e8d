// Which requests a node of a cluster runs, and where it sends the others, with commands made for the purpose.
#include "dispatch/routing.h"

#include <fmt/format.h>

#include <map>
#include <thread>

#include "base/key_slot.h"
#include "dispatch/script_run.h"
#include "dispatch/services_for_test.h"
#include "pubsub/channels.h"

namespace cinnabar::dispatch {
namespace {

using pubsub::Kind;

void Put(Call& call) {
  const keyspace::Key key = call.key(1);
  if (!call.db().FindToChange(key)) call.db().Create(key, keyspace::StringPayload("v"));
  call.Changed(config::kNotifyString, "put", key);
  call.reply().Ok();
}

void Read(Call& call) {
  int64_t found = 0;
  for (size_t i = 1; i < call.argc(); ++i) found += call.db().FindRead(call.key(i)) ? 1 : 0;
  call.reply().Integer(found);
}

void Take(Call& call) {
  const keyspace::Key key = call.key(1);
  if (const keyspace::EntryRef entry = call.db().FindToChange(key)) call.db().Erase(key, entry);
  call.reply().Ok();
}

void Say(Call& call) {
  call.reply().Ok();
}

void Ask(Call& call) {
  call.session().asking = true;
  call.reply().Ok();
}

void Begin(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

void Finish(Call& call) {
  if (!call.session().transaction.rejected) return call.dispatcher().RunQueued(call.session());
  call.session().transaction.Reset();
  call.reply().Error("EXECABORT");
}

void Watch(Call& call) {
  const keyspace::Key key = call.key(1);
  call.core().keyspace.Watch(0, key, call.session().transaction.watcher);
  call.session().transaction.watched.push_back({0, std::string(key.bytes), key.hash, false});
  call.reply().Ok();
}

class UntilThere final : public Waiting {
 public:
  bool Serve(Call& call, const keyspace::Key& key) override {
    if (!call.db().FindToChange(key)) return false;
    call.reply().Simple("there");
    return true;
  }
};

void Await(Call& call) {
  const keyspace::Key key = call.key(1);
  call.Block(std::make_unique<UntilThere>(), {&key, 1}, keyspace::kNever);
}

void Join(Call& call) {
  Session& session = call.session();
  if (session.subscriber == nullptr) session.subscriber = std::make_unique<pubsub::Subscriber>(session.id, 0);
  for (size_t i = 1; i < call.argc(); ++i)
    call.services().channels->Subscribe(*session.subscriber, Kind::kShardChannel, call.arg(i));
  call.reply().Ok();
}

// script FLAGS NUMBER KEY... -- COMMAND KEY ... : runs commands of one key, and answers with what the last
// said.
void Script(Call& call) {
  uint32_t flags = 0;
  if (call.arg(1) == "says-nothing") flags = ScriptFlag::kSaysNothing;
  if (call.arg(1) == "crosses") flags = ScriptFlag::kAllowCrossSlotKeys;
  if (call.arg(1) == "no-cluster") flags = ScriptFlag::kNoCluster;
  Session inner(0, OutputBuffer(OutputBuffer::kFixedBytesMin));
  ScriptRun run(call, inner, {.flags = flags, .may_write = true, .function = {}});
  std::string said = run.Refusal(true);
  const auto words = call.argv();
  const auto first = std::find(words.begin(), words.end(), "--") - words.begin() + 1;
  for (size_t i = static_cast<size_t>(first); said.empty() && i + 1 < words.size(); i += 2) {
    EXPECT_EQ(run.Run(words.subspan(i, 2)), ScriptRun::Ran::kDone);
    said = inner.output.TakeText();
    if (!said.starts_with('-') && i + 3 < words.size()) said.clear();
  }
  run.End();
  if (said.starts_with('-')) said = said.substr(1, said.size() - 3);
  call.reply().Simple(said.substr(0, said.find('\r')));
}

constexpr CommandSpec Plain(std::string_view name, int arity, uint64_t flags, Handler run,
                            KeySpec keys = {}) {
  CommandSpec spec{.name = name, .summary = "s", .since = "1", .group = "string"};
  spec.arity = arity;
  spec.flags = flags;
  spec.keys[0] = keys;
  spec.run = run;
  return spec;
}

constexpr CommandSpec kCommands[] = {
    Plain("put", -2, Flag::kWrite, Put, KeyRange(KeyUse::kOw, 1, -1)),
    Plain("set", 2, Flag::kWrite, Put, OneKey(KeyUse::kOw)),
    Plain("read", -2, Flag::kReadOnly, Read, KeyRange(KeyUse::kRo, 1, -1)),
    Plain("get", 2, Flag::kReadOnly, Read, OneKey(KeyUse::kRo)),
    Plain("take", 2, Flag::kWrite, Take, OneKey(KeyUse::kRm)),
    Plain("move", 2, Flag::kWrite | Flag::kAwaitsPeer, Say, OneKey(KeyUse::kRw)),
    Plain("restore", -2, Flag::kWrite | Flag::kAsking, Put, KeyRange(KeyUse::kOw, 1, -1)),
    Plain("hello", 1, Flag::kNone, Say),
    Plain("asking", 1, Flag::kFast, Ask),
    Plain("begin", 1, Flag::kControlsTransaction, Begin),
    Plain("finish", 1, Flag::kControlsTransaction | Flag::kRunsTransaction, Finish),
    Plain("watch", 2, Flag::kControlsTransaction, Watch, OneKey(KeyUse::kRo)),
    Plain("await", 2, Flag::kBlocking | Flag::kWrite, Await, OneKey(KeyUse::kRw)),
    Plain("look", 2, Flag::kBlocking | Flag::kReadOnly, Await, OneKey(KeyUse::kRo)),
    Plain("join", -2, Flag::kPubsub | Flag::kListening, Join, KeyRange(KeyUse::kNotKey, 1, -1)),
    Plain("tell", 2, Flag::kPubsub | Flag::kMayReplicate, Say, OneKey(KeyUse::kNotKey)),
    Plain(
        "script", -3, Flag::kNone, Script,
        {.use = KeyUse::kRw, .first = 2, .find = KeySpec::Find::kKeyNumber, .number_at = 0, .first_key = 1}),
};
static_assert(Valid(kCommands));

class Silence final : public pubsub::Delivery {
 public:
  void Deliver(int, std::shared_ptr<const pubsub::Message>, std::vector<pubsub::Recipient>) override {}
};

class RoutingTest : public DispatchTest {
 protected:
  static constexpr uint16_t kMyself = 0, kOther = 1, kNamed = 2;

  explicit RoutingTest(int cores = 1) : DispatchTest(kCommands, keyspace::Layout::kBySlot, cores) {
    config_.Mutable().cluster.enabled = true;
    services_.channels = &channels_;
    clients_.sessions = {&session_, &second_};
    session_.transaction.watcher.dirty = second_.transaction.watcher.dirty = false;
    table_.nodes = {{"10.0.0.1", 7000, 7100}, {"10.0.0.2", 7001, 7101}, {"three.example", 7002, 0}};
    table_.owner.fill(kMyself);
    table_.migrating_to.fill(Routing::kNobody);
    table_.myself = kMyself;
    table_.healthy = true;
    Publish();
  }
  ~RoutingTest() override {
    for (Session* session : {&session_, &second_}) {
      dispatcher_->blocked().Abandon(*session);
      dispatcher_->Unwatch(*session, Dispatcher::Held::kNo);
    }
  }

  void Publish() {
    auto fresh = std::make_unique<Routing>(table_);
    for (size_t slot = 0; slot < Routing::kSlots; ++slot) {
      fresh->served[slot] = fresh->healthy && fresh->owner[slot] == fresh->myself &&
                            fresh->migrating_to[slot] == Routing::kNobody;
    }
    PublishRouting(services_, fresh.get());
    published_ = std::move(fresh);
  }
  void Give(std::string_view key, uint16_t node) { table_.owner[static_cast<size_t>(KeySlot(key))] = node; }
  void Migrate(std::string_view key, uint16_t node) {
    table_.migrating_to[static_cast<size_t>(KeySlot(key))] = node;
  }
  void Import(std::string_view key) { table_.importing.set(static_cast<size_t>(KeySlot(key))); }
  void Follow(uint16_t primary) {
    table_.primary = primary;
    table_.owner.fill(primary);
  }
  static std::string Moved(std::string_view key, std::string_view place) {
    return fmt::format("-MOVED {} {}\r\n", KeySlot(key), place);
  }
  static std::string Asked(std::string_view key, std::string_view place) {
    return fmt::format("-ASK {} {}\r\n", KeySlot(key), place);
  }
  uint64_t Errors(const std::string& code) {
    std::map<std::string, uint64_t> counts;
    dispatcher_->telemetry().error_stats().AddTo(counts);
    return counts[code];
  }
  // What a blocked session is told, if that is over.
  std::string Completed(Session& session) {
    if (session.blocked == nullptr || !session.blocked->done()) return "waits";
    dispatcher_->blocked().Complete(session);
    return Take(session.output);
  }

  Silence silence_;
  pubsub::Channels channels_{silence_};
  Routing table_;
  std::unique_ptr<const Routing> published_;
  Session second_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kCrossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
constexpr std::string_view kTryAgain = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
constexpr std::string_view kUnserved = "-CLUSTERDOWN Hash slot not served\r\n";
constexpr std::string_view kDown = "-CLUSTERDOWN The cluster is down\r\n";

TEST_F(RoutingTest, OwnSlotsAreServedAndOthersMoved) {
  Give("there", kOther);
  Give("named", kNamed);
  Publish();
  EXPECT_EQ(Run({"set", "here"}), kOk);
  EXPECT_EQ(Run({"put", "here"}), kOk);
  EXPECT_EQ(Run({"set", "there"}), Moved("there", "10.0.0.2:7001"));
  EXPECT_EQ(Run({"get", "there"}), Moved("there", "10.0.0.2:7001"));
  EXPECT_EQ(Run({"get", "named"}), Moved("named", "three.example:7002"));
  EXPECT_EQ(Run({"hello"}), kOk);
  session_.facts.tls = true;
  EXPECT_EQ(Run({"get", "there"}), Moved("there", "10.0.0.2:7101"));
  EXPECT_EQ(Run({"get", "named"}), Moved("named", "three.example:7002"));
  EXPECT_EQ(Journal(), "SELECT 0 | set here | put here");
}

TEST_F(RoutingTest, RefusalsAreCounted) {
  Give("there", kOther);
  Publish();
  Run({"get", "there"});
  Run({"get", "there"});
  const Command* get = registry_.Find("get");
  EXPECT_EQ(Errors("MOVED"), 2u);
  EXPECT_EQ(dispatcher_->telemetry().command_stats().Read(get->id).rejected, 2u);
}

TEST_F(RoutingTest, KeysOfOneRequestAreOfOneSlot) {
  EXPECT_EQ(Run({"put", "{a}1", "{a}2"}), kOk);
  EXPECT_EQ(Run({"put", "{a}1", "{b}2"}), kCrossSlot);
  Give("b", kOther);
  Publish();
  EXPECT_EQ(Run({"put", "{a}1", "{b}2"}), kCrossSlot);
  Give("a", Routing::kNobody);
  Publish();
  EXPECT_EQ(Run({"put", "{a}1", "{b}2"}), kUnserved);
  EXPECT_EQ(Run({"get", "{a}1"}), kUnserved);
}

TEST_F(RoutingTest, ClusterThatIsDown) {
  table_.healthy = false;
  Publish();
  EXPECT_EQ(Run({"get", "k"}), kDown);
  EXPECT_EQ(Run({"hello"}), kOk);
  EXPECT_EQ(Run({"tell", "k"}), kOk);
  config_.Mutable().cluster.allow_pubsubshard_when_down = false;
  EXPECT_EQ(Run({"tell", "k"}), kDown);
  config_.Mutable().cluster.allow_reads_when_down = true;
  EXPECT_EQ(Run({"get", "k"}), ":0\r\n");
  EXPECT_EQ(Run({"set", "k"}), "-CLUSTERDOWN The cluster is down and only accepts read commands\r\n");
}

TEST_F(RoutingTest, MigratingSlot) {
  Run({"set", "{m}1"});
  Run({"set", "{m}2"});
  Migrate("m", kOther);
  Publish();
  const std::string asked = Asked("m", "10.0.0.2:7001");
  EXPECT_EQ(Run({"get", "{m}1"}), ":1\r\n");
  EXPECT_EQ(Run({"set", "{m}1"}), kOk);
  EXPECT_EQ(Run({"get", "{m}3"}), asked);
  EXPECT_EQ(Run({"set", "{m}3"}), asked);
  EXPECT_EQ(Run({"read", "{m}1", "{m}2"}), ":2\r\n");
  EXPECT_EQ(Run({"read", "{m}1", "{m}3"}), kTryAgain);
  EXPECT_EQ(Run({"read", "{m}3", "{m}4"}), asked);
  EXPECT_EQ(Run({"move", "{m}3"}), kOk);
  EXPECT_EQ(Run({"tell", "{m}3"}), kOk);
  EXPECT_EQ(Run({"take", "{m}1"}), kOk);
  EXPECT_EQ(Run({"get", "{m}1"}), asked);
}

TEST_F(RoutingTest, ImportingSlot) {
  Give("i", kOther);
  Import("i");
  Publish();
  const std::string moved = Moved("i", "10.0.0.2:7001");
  EXPECT_EQ(Run({"set", "{i}1"}), moved);
  EXPECT_EQ(Run({"restore", "{i}1"}), kOk);
  EXPECT_EQ(Run({"get", "{i}1"}), moved);
  EXPECT_EQ(Run({"move", "{i}1"}), kOk);
  EXPECT_EQ(Run({"asking"}), kOk);
  EXPECT_EQ(Run({"get", "{i}1"}), ":1\r\n");
  EXPECT_EQ(Run({"get", "{i}1"}), moved);
  Run({"asking"});
  EXPECT_EQ(Run({"get", "{i}2"}), ":0\r\n");
  Run({"asking"});
  EXPECT_EQ(Run({"read", "{i}1", "{i}2"}), kTryAgain);
  Run({"asking"});
  EXPECT_EQ(Run({"read", "{i}1", "{i}1"}), ":2\r\n");
  EXPECT_EQ(Run({"restore", "{i}1", "{i}2"}), kTryAgain);
  Run({"asking"});
  EXPECT_EQ(Run({"put", "{i}1", "{j}2"}), kCrossSlot);
}

TEST_F(RoutingTest, AskingIsForOneRequest) {
  Give("i", kOther);
  Import("i");
  Publish();
  const std::string moved = Moved("i", "10.0.0.2:7001");
  Run({"asking"});
  Run({"asking"});
  EXPECT_EQ(Run({"get", "i"}), ":0\r\n");
  Run({"asking"});
  Run({"get", "here"});
  EXPECT_EQ(Run({"get", "i"}), moved);
  Run({"asking"});
  Run({"nonsense"});
  EXPECT_EQ(Run({"get", "i"}), moved);
  Run({"asking"});
  Run({"begin"});
  EXPECT_EQ(Run({"set", "i"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"get", "i"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"finish"}), "*2\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(Run({"get", "i"}), moved);
}

TEST_F(RoutingTest, ExpiredKeysAreNotHere) {
  dispatcher_->core().SetNow(1000);
  const keyspace::Key key = keyspace_.KeyOf("m");
  keyspace::Database(dispatcher_->core(), 0).Create(key, keyspace::StringPayload("v"), 2000);
  Migrate("m", kOther);
  Publish();
  EXPECT_EQ(Run({"get", "m"}), ":1\r\n");
  dispatcher_->core().SetNow(3000);
  EXPECT_EQ(Run({"get", "m"}), Asked("m", "10.0.0.2:7001"));
  EXPECT_EQ(Journal(), "");  // the look has not removed it
}

TEST_F(RoutingTest, TransactionIsCheckedWhenQueuedAndAsOne) {
  Give("there", kOther);
  Publish();
  Run({"begin"});
  EXPECT_EQ(Run({"set", "there"}), Moved("there", "10.0.0.2:7001"));
  EXPECT_EQ(Run({"set", "here"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"finish"}), "-EXECABORT\r\n");
  Run({"begin"});
  Run({"set", "{a}1"});
  Run({"set", "{b}1"});
  EXPECT_EQ(Run({"finish"}), kCrossSlot);
  EXPECT_FALSE(session_.in_transaction());
  Run({"begin"});
  Run({"set", "{a}1"});
  Run({"hello"});
  Run({"get", "{a}1"});
  EXPECT_EQ(Run({"finish"}), "*3\r\n+OK\r\n+OK\r\n:1\r\n");
}

TEST_F(RoutingTest, TransactionWhoseSlotLeft) {
  Run({"watch", "{a}1"});
  Run({"begin"});
  Run({"set", "{a}1"});
  Give("a", kOther);
  Publish();
  EXPECT_EQ(Run({"finish"}), Moved("a", "10.0.0.2:7001"));
  EXPECT_FALSE(session_.in_transaction());
  EXPECT_TRUE(session_.transaction.watched.empty());
  EXPECT_EQ(Run({"watch", "{a}1"}), Moved("a", "10.0.0.2:7001"));
}

TEST_F(RoutingTest, TransactionInAMigratingSlot) {
  Run({"set", "{m}1"});
  Run({"set", "{m}2"});
  Run({"watch", "{m}1"});
  Run({"begin"});
  Run({"get", "{m}1"});
  Run({"get", "{m}2"});
  Migrate("m", kOther);
  Publish();
  EXPECT_EQ(Run({"get", "{m}3"}), Asked("m", "10.0.0.2:7001"));
  EXPECT_EQ(Run({"finish"}), "-EXECABORT\r\n");
  Run({"begin"});
  EXPECT_EQ(Run({"get", "{m}1"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"get", "{m}2"}), "+QUEUED\r\n");
  Run(second_, {"take", "{m}1"});
  EXPECT_EQ(Run({"finish"}), kTryAgain);
  EXPECT_TRUE(session_.transaction.watched.empty());
  Run({"begin"});
  EXPECT_EQ(Run({"get", "{m}2"}), "+QUEUED\r\n");
  Run(second_, {"take", "{m}2"});
  EXPECT_EQ(Run({"finish"}), Asked("m", "10.0.0.2:7001"));
  EXPECT_FALSE(session_.in_transaction());
}

TEST_F(RoutingTest, ReplicaIsReadByThoseWhoSaySo) {
  Follow(kOther);
  Give("third", kNamed);
  Publish();
  const std::string moved = Moved("k", "10.0.0.2:7001");
  EXPECT_EQ(Run({"get", "k"}), moved);
  session_.reads_replica = true;
  EXPECT_EQ(Run({"get", "k"}), ":0\r\n");
  EXPECT_EQ(Run({"read", "{k}1", "{k}2"}), ":0\r\n");
  EXPECT_EQ(Run({"read", "{k}1", "{l}2"}), kCrossSlot);
  EXPECT_EQ(Run({"set", "k"}), moved);
  EXPECT_EQ(Run({"get", "third"}), Moved("third", "three.example:7002"));
  Run({"begin"});
  Run({"get", "k"});
  EXPECT_EQ(Run({"finish"}), "*1\r\n:0\r\n");
  Run({"begin"});
  EXPECT_EQ(Run({"set", "k"}), moved);
  EXPECT_EQ(Run({"finish"}), "-EXECABORT\r\n");
  session_.upstream = true;
  EXPECT_EQ(Run({"set", "k"}), kOk);
  EXPECT_EQ(Run({"put", "k", "l"}), kOk);
}

TEST_F(RoutingTest, ReplicasHaveTheChannelsOfTheirPrimary) {
  Follow(kOther);
  Give("third", kNamed);
  Publish();
  EXPECT_EQ(Run({"tell", "k"}), kOk);
  EXPECT_EQ(Run({"join", "k"}), kOk);
  EXPECT_EQ(Run({"join", "third"}), Moved("third", "three.example:7002"));
  EXPECT_EQ(Run({"join", "{k}1", "{l}1"}), kCrossSlot);
}

TEST_F(RoutingTest, BlockedClientsAreSentAfterTheirKeys) {
  Execute(session_, {"await", "{a}1"});
  Execute(second_, {"await", "{b}1"});
  Publish();
  EXPECT_EQ(Completed(session_), "waits");
  Migrate("a", kOther);
  Publish();
  EXPECT_EQ(Completed(session_), "waits");
  Migrate("a", Routing::kNobody);
  Give("a", kOther);
  Publish();
  EXPECT_EQ(Completed(session_), Moved("a", "10.0.0.2:7001"));
  EXPECT_EQ(Completed(second_), "waits");
  Give("b", Routing::kNobody);
  Publish();
  EXPECT_EQ(Completed(second_), kUnserved);
  EXPECT_EQ(Errors("MOVED"), 1u);
}

TEST_F(RoutingTest, BlockedClientsLearnThatTheClusterIsDown) {
  Give("i", kOther);
  Import("i");
  Publish();
  Run({"asking"});
  Execute(session_, {"await", "i"});
  Execute(second_, {"await", "k"});
  table_.healthy = false;
  Publish();
  EXPECT_EQ(Completed(session_), kDown);
  EXPECT_EQ(Completed(second_), kDown);
}

TEST_F(RoutingTest, BlockedClientsOfAReplica) {
  Follow(kOther);
  Publish();
  session_.reads_replica = true;
  Execute(session_, {"look", "k"});
  Publish();
  EXPECT_EQ(Completed(session_), "waits");
  table_.primary = kNamed;
  Publish();
  EXPECT_EQ(Completed(session_), Moved("k", "10.0.0.2:7001"));
}

TEST_F(RoutingTest, SubscriptionsEndWhereTheirSlotHasLeft) {
  Run({"join", "{a}1", "{a}2"});
  Run({"join", "{b}1"});
  channels_.Subscribe(*session_.subscriber, Kind::kChannel, "{a}1");
  Give("a", kOther);
  Publish();
  EXPECT_EQ(
      Take(session_.output),
      "*3\r\n$12\r\nsunsubscribe\r\n$4\r\n{a}1\r\n:2\r\n*3\r\n$12\r\nsunsubscribe\r\n$4\r\n{a}2\r\n:1\r\n");
  EXPECT_EQ(clients_.woken, 1);
  EXPECT_EQ(session_.subscriptions(Kind::kChannel), 1u);
  EXPECT_EQ(channels_.CountSubscribers(Kind::kShardChannel, "{a}1"), 0u);
  // As a replica of the next owner it goes on.
  Follow(kNamed);
  Publish();
  EXPECT_EQ(Take(session_.output), "");
  channels_.Unsubscribe(*session_.subscriber, Kind::kChannel, "{a}1");
  table_.primary = kOther;
  Publish();
  EXPECT_EQ(Take(session_.output), "*3\r\n$12\r\nsunsubscribe\r\n$4\r\n{b}1\r\n:0\r\n");
  EXPECT_FALSE(session_.subscribed());
}

TEST_F(RoutingTest, ScriptsUseWhatIsHere) {
  Give("there", kOther);
  Publish();
  const std::string moved = Moved("there", "10.0.0.2:7001");
  const std::string far = "+ERR Script attempted to access a non local key in a cluster node\r\n";
  EXPECT_EQ(Run({"script", "says-nothing", "1", "there", "--"}), moved);
  EXPECT_EQ(Run({"script", "says-nothing", "2", "{a}1", "{b}1", "--"}), kCrossSlot);
  EXPECT_EQ(Run({"script", "says-nothing", "1", "{a}1", "--", "set", "{a}2", "get", "{a}2"}), "+:1\r\n");
  EXPECT_EQ(Run({"script", "says-nothing", "1", "{a}1", "--", "set", "{b}2", "get", "{b}2"}), "+:1\r\n");
  EXPECT_EQ(Run({"script", "says-nothing", "1", "{a}1", "--", "get", "there"}), far);
  EXPECT_EQ(Run({"script", "says-nothing", "1", "{a}1", "--", "tell", "there"}), far);
  EXPECT_EQ(Run({"script", "crosses", "1", "{a}1", "--", "set", "{b}2", "get", "{c}2"}), "+:0\r\n");
  EXPECT_EQ(Run({"script", "says-nothing", "0", "--", "hello", "--"}),
            "+ERR Wrong number of args calling Redis command from script\r\n");
}

TEST_F(RoutingTest, ScriptsThatSayWhatTheyDoKeepToOneSlot) {
  const std::string crosses = "+ERR Script attempted to access keys that do not hash to the same slot\r\n";
  EXPECT_EQ(Run({"script", "none", "0", "--", "set", "{a}1", "get", "{a}1"}), "+:1\r\n");
  EXPECT_EQ(Run({"script", "none", "0", "--", "set", "{a}1", "get", "{b}1"}), crosses);
  EXPECT_EQ(Run({"script", "none", "1", "{b}1", "--", "get", "{a}1"}), crosses);
  EXPECT_EQ(Run({"script", "no-cluster", "0", "--", "get", "{a}1"}),
            "+ERR Can not run script on cluster, 'no-cluster' flag is set.\r\n");
  Run({"begin"});
  Run({"script", "none", "1", "{b}1", "--", "get", "{a}1"});
  EXPECT_EQ(Run({"finish"}), "*1\r\n" + crosses);
}

TEST_F(RoutingTest, ScriptsInASlotOnItsWay) {
  Run({"set", "{m}1"});
  Migrate("m", kOther);
  Publish();
  const std::string far = "+ERR Script attempted to access a non local key in a cluster node\r\n";
  EXPECT_EQ(Run({"script", "none", "1", "{m}1", "--", "get", "{m}1"}), "+:1\r\n");
  EXPECT_EQ(Run({"script", "none", "1", "{m}1", "--", "set", "{m}2"}), far);
  EXPECT_EQ(Run({"script", "none", "1", "{m}2", "--", "set", "{m}2"}), Asked("m", "10.0.0.2:7001"));
  table_.healthy = false;
  config_.Mutable().cluster.allow_reads_when_down = true;
  Migrate("m", Routing::kNobody);
  Publish();
  session_.database = 0;
  EXPECT_EQ(Run({"script", "none", "1", "{m}1", "--", "set", "{m}1"}),
            "+ERR Script attempted to execute a write command while the cluster is down and readonly\r\n");
}

// Two cores: one moves keys away as MIGRATE does, the other one writes to them.
class MovingKeysTest : public RoutingTest {
 protected:
  MovingKeysTest() : RoutingTest(2) {
    config_.Mutable().observation.notify_keyspace_events = 0;
    dispatcher_->SettingsChanged();
    services_.notifier = nullptr;
    dispatchers_.push_back(&mover_);
  }
  std::string RunOn(Dispatcher& dispatcher, Session& session, const std::vector<std::string>& words) {
    Batch batch;
    for (const std::string& word : words) batch.arguments.push_back(word);
    keyspace::WorldGate& gate = keyspace_.gate();
    const int core = dispatcher.context().index;
    gate.Enter(core);
    dispatcher.preparer().Prepare(batch, session, 0);
    dispatcher.Execute(session, batch, batch.requests[0]);
    gate.Leave(core);
    return Take(session.output);
  }
  // Writes until it is told that the key is there; false when it is told anything else.
  bool WriteUntilGone(const std::string& key, bool in_transaction) {
    const std::string asked = Asked(key, "10.0.0.2:7001");
    while (true) {
      std::string said;
      if (in_transaction) {
        RunOn(*dispatcher_, session_, {"begin"});
        said = RunOn(*dispatcher_, session_, {"set", key});
        const std::string ended = RunOn(*dispatcher_, session_, {"finish"});
        if (said != asked) said = ended == "*1\r\n+OK\r\n" ? std::string(kOk) : ended;
      } else {
        said = RunOn(*dispatcher_, session_, {"set", key});
      }
      if (said == asked) return true;
      if (said != kOk) return false;
    }
  }

  Dispatcher mover_{services_, 1, 2};
};

TEST_F(MovingKeysTest, NoKeyIsMadeAgainBehindItsMove) {
  constexpr int kKeys = 2000;
  std::vector<std::string> keys;
  for (int i = 0; i < kKeys; ++i) keys.push_back(fmt::format("{{m}}{}", i));
  for (const std::string& key : keys) RunOn(*dispatcher_, session_, {"set", key});
  Migrate("m", kOther);
  Publish();
  std::thread mover([&] {
    for (const std::string& key : keys) {
      RunOn(mover_, second_, {"take", key});
      std::this_thread::yield();
    }
  });
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_TRUE(WriteUntilGone(keys[i], i % 3 == 0));
  mover.join();
  EXPECT_EQ(keyspace_.Size(0), 0u);
}

TEST_F(RoutingTest, WithoutATableEverythingRuns) {
  Give("there", kOther);
  Publish();
  PublishRouting(services_, nullptr);
  EXPECT_EQ(Run({"put", "there", "{a}1", "{b}2"}), kOk);
  EXPECT_EQ(Run({"join", "{a}1", "{b}2"}), kOk);
}

}  // namespace
}  // namespace cinnabar::dispatch
