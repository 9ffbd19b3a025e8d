// SET with all its options, and the older forms SETNX, SETEX, PSETEX, GETSET.
#include <vector>

#include "base/numbers.h"
#include "commands/expiry_option.h"
#include "commands/string/string_reply.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyGeneric;
using config::kNotifyString;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
using keyspace::kNever;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct SetOptions {
  enum class When : uint8_t { kAlways, kIfAbsent, kIfPresent } when = When::kAlways;
  bool get = false;
  ExpiryOption expiry;
};

SetOptions ParseOptions(Args& args, Millis now) {
  using When = SetOptions::When;
  SetOptions options;
  while (args.more() && !args.failed()) {
    if (options.when != When::kIfPresent && args.Take("NX")) {
      options.when = When::kIfAbsent;
    } else if (options.when != When::kIfAbsent && args.Take("XX")) {
      options.when = When::kIfPresent;
    } else if (args.Take("GET")) {
      options.get = true;
    } else if (!options.expiry.Parse(args, ExpiryOption::Accepts::kKeepTtl)) {
      args.FailSyntax();
    }
  }
  if (!args.failed()) options.expiry.Resolve(args, now);
  return options;
}

// Gives the key its new value, whatever it held.
void Store(Call& call, const Key& key, EntryRef entry, std::string_view value, const ExpiryOption& expiry) {
  SharedBytes lent = call.Lend(value);
  const keyspace::Entry::Payload payload =
      lent ? keyspace::BlockPayload(std::move(lent)) : keyspace::StringPayload(value);
  const Millis at = expiry.given() ? expiry.at : kNever;
  if (entry) {
    call.db().Replace(entry, payload);
    if (expiry.kind != ExpiryOption::Kind::kKeepTtl) call.db().SetExpiry(key, entry, at);
  } else {
    call.db().Create(key, payload, at);
  }
  call.Changed(kNotifyString, "set", key);
  if (expiry.given()) call.Notify(kNotifyGeneric, "expire", key.bytes);
}

// The journal gets an absolute time, so that a replay does not prolong a life.
void PropagateWithExpiry(Call& call, const Key& key, std::string_view value, Millis at) {
  call.Propagate({"SET", key.bytes, value, "PXAT", Int64ToString(at)});
}

// Nobody reads the replies of the journal's commands.
void PropagateWithoutGet(Call& call) {
  std::vector<std::string_view> argv;
  for (size_t i = 0; i < call.argc(); ++i) {
    if (i < 3 || !dispatch::SameWord(call.arg(i), "GET")) argv.push_back(call.arg(i));
  }
  call.Propagate(argv);
}

void SetWithOptions(Call& call) {
  Args args(call, 3);
  const SetOptions options = ParseOptions(args, call.now());
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryRef entry =
      options.get ? call.db().FindToReadAndChange(key) : call.db().FindToChange(key, keyspace::Use::kSilent);
  if (options.get) {
    if (!call.Expect(entry, types::Type::kString)) return;
    ReplyStringOrNull(call.reply(), entry);
  }
  const bool refused = (options.when == SetOptions::When::kIfAbsent && entry) ||
                       (options.when == SetOptions::When::kIfPresent && !entry);
  if (refused) {
    if (!options.get) call.reply().Null();
    return;
  }
  Store(call, key, entry, call.arg(2), options.expiry);
  if (options.expiry.given()) {
    PropagateWithExpiry(call, key, call.arg(2), options.expiry.at);
  } else if (options.get) {
    PropagateWithoutGet(call);
  }
  if (!options.get) call.reply().Ok();
}

void Set(Call& call) {
  if (call.argc() > 3) return SetWithOptions(call);
  const Key key = call.key(1);
  Store(call, key, call.db().FindToChange(key, keyspace::Use::kSilent), call.arg(2), {});
  call.reply().Ok();
}

void SetNx(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
  if (entry) return call.reply().Integer(0);
  Store(call, key, entry, call.arg(2), {});
  call.reply().Integer(1);
}

void StoreWithTtl(Call& call, ExpiryOption::Unit unit) {
  Args args(call, 2);
  ExpiryOption expiry = ExpiryOption::In(args.Next(), unit);
  expiry.Resolve(args, call.now());
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  Store(call, key, call.db().FindToChange(key, keyspace::Use::kSilent), call.arg(3), expiry);
  PropagateWithExpiry(call, key, call.arg(3), expiry.at);
  call.reply().Ok();
}

void SetEx(Call& call) {
  StoreWithTtl(call, ExpiryOption::Unit::kSeconds);
}
void PSetEx(Call& call) {
  StoreWithTtl(call, ExpiryOption::Unit::kMillis);
}

void GetSet(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToReadAndChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  ReplyStringOrNull(call.reply(), entry);
  Store(call, key, entry, call.arg(2), {});
  call.Propagate({"SET", key.bytes, call.arg(2)});
}

// Only with GET does SET read.
uint16_t UseOfSetKey(std::span<const std::string_view> argv) {
  for (size_t i = 3; i < argv.size(); ++i) {
    if (dispatch::SameWord(argv[i], "GET")) return KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate;
  }
  return KeyUse::kOw | KeyUse::kUpdate;
}

constexpr CommandSpec kTable[] = {
    {
        .name = "set",
        .synopsis = "key value condition:[NX|XX]@2.6.12 [GET]@6.2.0 "
                    "expiration:[EX:integer seconds@2.6.12|PX:integer milliseconds@2.6.12|"
                    "EXAT:unix-time unix-time-seconds@6.2.0|PXAT:unix-time unix-time-milliseconds@6.2.0|"
                    "KEEPTTL@6.0.0]",
        .summary =
            "Sets a key to a string value, whatever it held before; options decide when and for how long.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {{.use = KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate | KeyUse::kVariableFlags,
                  .first = 1,
                  .notes = "RW and ACCESS due to the optional `GET` argument"}},
        .history = "2.6.12: Added the `EX`, `PX`, `NX` and `XX` options.|6.0.0: Added the `KEEPTTL` option.|"
                   "6.2.0: Added the `GET`, `EXAT` and `PXAT` option.|"
                   "7.0.0: Allowed the `NX` and `GET` options to be used together.",
        .actual_use = UseOfSetKey,
        .run = Set,
    },
    {
        .name = "setnx",
        .synopsis = "key value",
        .summary = "Sets a key to a string value only if the key does not exist.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kInsert)},
        .replaced_by = "`SET` with the `NX` argument",
        .deprecated_since = "2.6.12",
        .run = SetNx,
    },
    {
        .name = "setex",
        .synopsis = "key seconds:integer value",
        .summary = "Sets a key to a string value that expires after a number of seconds.",
        .since = "2.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate)},
        .replaced_by = "`SET` with the `EX` argument",
        .deprecated_since = "2.6.12",
        .run = SetEx,
    },
    {
        .name = "psetex",
        .synopsis = "key milliseconds:integer value",
        .summary = "Sets a key to a string value that expires after a number of milliseconds.",
        .since = "2.6.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate)},
        .replaced_by = "`SET` with the `PX` argument",
        .deprecated_since = "2.6.12",
        .run = PSetEx,
    },
    {
        .name = "getset",
        .synopsis = "key value",
        .summary = "Sets a key to a string value and returns the value it had.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate)},
        .replaced_by = "`SET` with the `!GET` argument",
        .deprecated_since = "6.2.0",
        .run = GetSet,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringSetCommands{kTable};

}  // namespace cinnabar::commands
