// Who is told of which changes. That it comes at the right place in a client's output is tested with a server
// (tests/integration/tracking.py).
#include "dispatch/tracking.h"

#include <set>

#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

void Get(Call& call) {
  call.db().FindRead(call.key(1));
  call.reply().Ok();
}

void Put(Call& call) {
  for (size_t i = 1; i < call.argc(); ++i) {
    const keyspace::Key key = call.key(i);
    if (!call.db().FindToChange(key)) call.db().Create(key, keyspace::StringPayload("v"));
    call.Changed(config::kNotifyString, "put", key);
  }
  call.reply().Ok();
}

void Expiring(Call& call) {
  call.db().Create(call.key(1), keyspace::StringPayload("v"), call.now() - 1);
  call.reply().Ok();
}

void Begin(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

void Finish(Call& call) {
  call.dispatcher().RunQueued(call.session());
}

void Caching(Call& call) {
  call.session().tracking->caching_said = true;
  call.reply().Ok();
}

class UntilThere final : public Waiting {
 public:
  bool Serve(Call& call, const keyspace::Key& key) override {
    if (!call.db().FindRead(key)) return false;
    call.reply().Simple("there");
    return true;
  }
};

void Await(Call& call) {
  const keyspace::Key key = call.key(1);
  call.Block(std::make_unique<UntilThere>(), {&key, 1}, keyspace::kNever);
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

constexpr CommandSpec SpecWithKeys(std::string_view name, uint64_t flags, int use, Handler run) {
  CommandSpec spec = Spec(name, -2, flags, run);
  spec.keys[0] = KeyRange(use, 1, -1);
  return spec;
}

constexpr CommandSpec kCommands[] = {
    SpecWithKeys("get", Flag::kReadOnly, KeyUse::kRo, Get),
    SpecWithKeys("await", Flag::kReadOnly | Flag::kBlocking, KeyUse::kRo, Await),
    SpecWithKeys("put", Flag::kWrite, KeyUse::kRw, Put),
    SpecWithKeys("expiring", Flag::kWrite, KeyUse::kRw, Expiring),
    Spec("begin", 1, Flag::kControlsTransaction, Begin),
    Spec("finish", 1, Flag::kControlsTransaction | Flag::kRunsTransaction, Finish),
    Spec("client", -1, 0, Caching),
    Spec("ping", -1, 0, [](Call& call) { call.reply().Ok(); }),
};
static_assert(Valid(kCommands));

using Lines = std::vector<std::string>;

// Notes letters as "core: session<tracker keys", "*" for everything, "!" for one's own change.
class Letters final : public InvalidationDelivery {
 public:
  void Deliver(int core, int, Invalidation letter) override {
    for (const Invalidation::Recipient& recipient : letter.recipients) {
      std::string line = std::to_string(core) + ": " + std::to_string(recipient.session);
      if (recipient.tracker != recipient.session) line += "<" + std::to_string(recipient.tracker);
      line += letter.what == Invalidation::What::kEverything ? " *" : Names(letter.keys.view());
      lines.push_back(line + (recipient.own ? " !" : ""));
    }
  }
  void WriteArrived(int) override {}
  Lines Take() { return std::exchange(lines, {}); }
  Lines lines;

 private:
  static std::string Names(std::string_view resp) {
    std::string names;
    while (!resp.empty()) {
      const size_t end = resp.find("\r\n");
      if (resp[0] != '*' && resp[0] != '$') names += " " + std::string(resp.substr(0, end));
      resp.remove_prefix(end + 2);
    }
    return names;
  }
};

class TrackingTest : public DispatchTest {
 protected:
  TrackingTest() : DispatchTest(kCommands) {
    services_.tracking = &tracking_;
    other_.facts.core = 1;
  }

  void Track(Session& session, TrackingOptions options = {}, std::vector<std::string_view> prefixes = {}) {
    tracking_.Enable(session, options, prefixes);
  }
  Lines Broadcasts() {
    tracking_.SendBroadcasts(0);
    return letters_.Take();
  }

  Letters letters_;
  Tracking tracking_{services_, 2, letters_};
  Session other_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
  Session writer_{3, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

TEST_F(TrackingTest, ReadersAreToldOnce) {
  Track(session_);
  Track(other_);
  Run({"get", "a", "b"});
  Run(other_, {"get", "a"});
  Run(writer_, {"get", "c"});
  EXPECT_EQ(tracking_.totals().keys, 2u);
  EXPECT_EQ(tracking_.totals().items, 3u);
  Run(writer_, {"put", "a", "c"});
  Lines told = letters_.Take();
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (Lines{"0: 1 a", "1: 2 a"}));
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines());
  Run({"get", "a"});
  Run({"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 a !"});
}

TEST_F(TrackingTest, NothingIsNotedWhenNobodyTracks) {
  Run({"get", "a"});
  EXPECT_FALSE(dispatcher_->core().tells_changed);
  Track(session_);
  EXPECT_TRUE(dispatcher_->core().tells_changed);
  Run({"get", "a"});
  Run({"put", "b"});
  EXPECT_EQ(tracking_.totals().keys, 1u);  // what is only written is not noted
  tracking_.Disable(session_);
  EXPECT_FALSE(dispatcher_->core().tells_changed);
  EXPECT_EQ(tracking_.totals().keys, 0u);
  EXPECT_EQ(session_.tracking, nullptr);
  tracking_.Disable(session_);
}

TEST_F(TrackingTest, OwnChangesAreNotToldIfUnwanted) {
  Track(session_, {.spares_own = true});
  Run({"get", "a", "b"});
  Run({"put", "a"});
  Run(writer_, {"put", "b"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 b"});
  // What happens by itself is nobody's change.
  Run({"expiring", "c"});
  Run({"get", "c"});
  EXPECT_EQ(letters_.Take(), Lines());
  Run({"expiring", "c"});
  Run({"get", "c"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 c"});
}

TEST_F(TrackingTest, CachingChoosesForOneCommandOrTransaction) {
  const auto noted = [&](const std::string& name) {
    Run(writer_, {"put", name});
    return letters_.Take() == Lines{"0: 1 " + name};
  };
  for (const TrackedReads reads : {TrackedReads::kOnRequest, TrackedReads::kUnlessDeclined}) {
    const bool on_request = reads == TrackedReads::kOnRequest;
    Track(session_, {.reads = reads});
    Run({"get", "a"});
    EXPECT_EQ(noted("a"), !on_request);
    Run({"client"});
    Run({"client"});
    Run({"get", "a"});
    EXPECT_EQ(noted("a"), on_request);
    Run({"get", "a"});
    EXPECT_EQ(noted("a"), !on_request);
    for (const char* between : {"ping", "unknown", "get"}) {  // also what is refused: "get" needs a key
      Run({"client"});
      Run({between});
      Run({"get", "a"});
      EXPECT_EQ(noted("a"), !on_request) << between;
    }
    Run({"client"});
    for (const char* word : {"begin", "get a", "get b", "finish"}) {
      const std::string text(word);
      text.size() > 4 && text[3] == ' ' ? Run({text.substr(0, 3), text.substr(4)}) : Run({text});
    }
    EXPECT_EQ(noted("a"), on_request);
    EXPECT_EQ(noted("b"), on_request);
    Run({"get", "a"});
    EXPECT_EQ(noted("a"), !on_request);
  }
}

TEST_F(TrackingTest, RedirectedMessagesGoToTheOtherCoreAtOnce) {
  Track(session_, {.redirect = 2, .redirect_core = 1});
  Run({"get", "a"});
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"1: 2<1 a"});
  Run({"get", "a"});
  Run(other_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"1: 2<1 a !"});
}

TEST_F(TrackingTest, PrefixesAreToldTogether) {
  Track(session_, {.broadcasts = true}, {"x:", "y:"});
  Track(other_, {.broadcasts = true, .spares_own = true});
  EXPECT_EQ(tracking_.totals().prefixes, 3u);
  Run({"get", "x:1"});
  EXPECT_EQ(tracking_.totals().keys, 0u);
  Run(writer_, {"put", "x:2", "x:1", "z", "y:1"});
  Run(writer_, {"put", "x:1"});
  EXPECT_EQ(letters_.Take(), Lines());
  EXPECT_EQ(Broadcasts(), (Lines{"1: 2 x:1 x:2 y:1 z", "0: 1 x:1 x:2", "0: 1 y:1"}));
  EXPECT_EQ(Broadcasts(), Lines());
  // Without its own, unless they were changed again.
  Run(other_, {"put", "x:1", "x:2", "z"});
  Run(writer_, {"put", "x:2"});
  EXPECT_EQ(Broadcasts(), (Lines{"1: 2 x:2", "0: 1 x:1 x:2"}));
  Run(other_, {"put", "z"});
  EXPECT_EQ(Broadcasts(), Lines());
}

TEST_F(TrackingTest, WhatIsCollectedGoesBeforeTheTreeChanges) {
  Track(session_, {.broadcasts = true}, {"x:"});
  Run(writer_, {"put", "x:1", "y:1"});
  Track(session_, {.broadcasts = true}, {"y:"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 x:1"});
  Run(writer_, {"put", "y:1"});
  tracking_.Disable(session_);
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 y:1"});
  EXPECT_EQ(tracking_.totals().prefixes, 0u);
}

TEST_F(TrackingTest, WhoLeavesIsToldNothing) {
  Track(session_);
  Track(other_, {.broadcasts = true}, {"a"});
  Run({"get", "a"});
  tracking_.Leave(session_);
  tracking_.Leave(other_);
  EXPECT_EQ(session_.tracking, nullptr);
  Run(writer_, {"put", "a"});
  EXPECT_EQ(Broadcasts(), Lines());
  EXPECT_EQ(tracking_.totals().prefixes, 1u);
  tracking_.Cron(*dispatcher_);
  EXPECT_EQ(tracking_.totals().prefixes, 0u);
  EXPECT_FALSE(dispatcher_->core().tells_changed);
}

TEST_F(TrackingTest, WhoComesBackBeforeTheCronStays) {
  Track(session_, {.broadcasts = true}, {"a"});
  Track(other_);
  tracking_.Leave(session_);
  Track(session_);
  EXPECT_EQ(tracking_.totals().prefixes, 0u);
  Run({"get", "a"});
  tracking_.Cron(*dispatcher_);
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 a"});
}

TEST_F(TrackingTest, NotesOfAnEarlierModeAreNotTold) {
  Track(session_);
  Track(other_);
  Run({"get", "a"});
  tracking_.Disable(session_);
  Track(session_, {.broadcasts = true}, {"x:"});
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines());
}

TEST_F(TrackingTest, EverybodyIsToldOfEverything) {
  Track(session_, {.spares_own = true});
  Track(other_, {.broadcasts = true}, {"x:"});
  Run({"get", "a", "b"});
  tracking_.InvalidateAll(0, 1);
  Lines told = letters_.Take();
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (Lines{"0: 1 * !", "1: 2 *"}));
  EXPECT_EQ(tracking_.totals().keys, 0u);
  EXPECT_EQ(tracking_.totals().items, 0u);
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines());
}

TEST_F(TrackingTest, KeysBeyondTheLimitAreForgottenAndTold) {
  Track(session_);
  config_.Mutable().clients.tracking_table_max_keys = 10;
  std::set<std::string> told;
  for (int i = 0; i < 100; ++i) {
    Run({"get", std::to_string(i)});
    EXPECT_LE(tracking_.totals().keys, 10u);
    for (const std::string& line : letters_.Take()) EXPECT_TRUE(told.insert(line).second) << line;
  }
  EXPECT_EQ(told.size(), 90u);
  config_.Mutable().clients.tracking_table_max_keys = 3;
  tracking_.Cron(*dispatcher_);
  EXPECT_EQ(letters_.Take().size(), 7u);
  config_.Mutable().clients.tracking_table_max_keys = 0;
  for (int i = 0; i < 100; ++i) Run({"get", std::to_string(i)});
  EXPECT_EQ(tracking_.totals().keys, 100u);
}

TEST_F(TrackingTest, WhatABlockedCommandReadsIsNotedWhenItIsServed) {
  Track(session_);
  Run({"await", "a"});
  EXPECT_EQ(tracking_.totals().keys, 1u);
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 a"});
  EXPECT_EQ(tracking_.totals().keys, 1u);
  Run(writer_, {"put", "a"});
  EXPECT_EQ(letters_.Take(), Lines{"0: 1 a"});
  dispatcher_->blocked().Abandon(session_);
}

}  // namespace
}  // namespace cinnabar::dispatch
