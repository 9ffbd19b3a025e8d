// SET with all its options, and the older forms SETNX, SETEX, PSETEX, GETSET.
#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"
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
  SetOptions options;
  while (args.more() && !args.failed()) {
    if (options.when == SetOptions::When::kAlways && args.Take("NX")) {
      options.when = SetOptions::When::kIfAbsent;
    } else if (options.when == SetOptions::When::kAlways && args.Take("XX")) {
      options.when = SetOptions::When::kIfPresent;
    } else if (args.Take("GET")) {
      options.get = true;
    } else if (!options.expiry.Parse(args, now, ExpiryOption::Accepts::kKeepTtl)) {
      args.FailSyntax();
    }
  }
  return options;
}

// Stores the value and says so. The journal gets an absolute time, so that a replay does not prolong a life.
void Store(Call& call, const Key& key, EntryRef entry, std::string_view value, const ExpiryOption& expiry) {
  const keyspace::Entry::Payload payload = keyspace::StringPayload(value);
  const Millis at = expiry.given() ? expiry.at : kNever;
  if (entry) {
    call.db().Replace(entry, payload);
    if (expiry.kind != ExpiryOption::Kind::kKeepTtl) call.db().SetExpiry(key, entry, at);
  } else {
    call.db().Create(key, payload, at);
  }
  call.Changed(kNotifyString, "set", key);
  if (!expiry.given()) return;
  call.Notify(kNotifyGeneric, "expire", key.bytes);
  call.Propagate({"SET", key.bytes, value, "PXAT", Int64ToString(at)});
}

void Set(Call& call) {
  Args args(call, 3);
  const SetOptions options = ParseOptions(args, call.now());
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryRef entry = options.get ? call.db().FindRead(key) : call.db().FindWrite(key, keyspace::Use::kSilent);
  if (options.get) {
    if (!call.Expect(entry, types::Type::kString)) return;
    if (entry) {
      ReplyString(call.reply(), *entry);
    } else {
      call.reply().Null();
    }
  }
  const bool refused = (options.when == SetOptions::When::kIfAbsent && entry) ||
                       (options.when == SetOptions::When::kIfPresent && !entry);
  if (refused) {
    if (!options.get) call.reply().Null();
    return;
  }
  Store(call, key, entry, call.arg(2), options.expiry);
  if (!options.get) call.reply().Ok();
}

void SetNx(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindWrite(key, keyspace::Use::kSilent);
  if (entry) return call.reply().Integer(0);
  Store(call, key, entry, call.arg(2), {});
  call.reply().Integer(1);
}

void StoreWithTtl(Call& call, ExpiryOption::Unit unit) {
  Args args(call, 2);
  ExpiryOption expiry;
  expiry.Read(args, call.now(), unit, ExpiryOption::Base::kRelative);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  Store(call, key, call.db().FindWrite(key, keyspace::Use::kSilent), call.arg(3), expiry);
  call.reply().Ok();
}

void SetEx(Call& call) { StoreWithTtl(call, ExpiryOption::Unit::kSeconds); }
void PSetEx(Call& call) { StoreWithTtl(call, ExpiryOption::Unit::kMillis); }

void GetSet(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindRead(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  if (entry) {
    ReplyString(call.reply(), *entry);
  } else {
    call.reply().Null();
  }
  Store(call, key, entry, call.arg(2), {});
  call.Propagate({"SET", key.bytes, call.arg(2)});
}

constexpr CommandSpec kTable[] = {
    {
        .name = "set",
        .synopsis = "key value [NX|XX] [GET] [EX:integer seconds|PX:integer milliseconds|"
                    "EXAT:unix-time unix-time-seconds|PXAT:unix-time unix-time-milliseconds|KEEPTTL]",
        .summary = "Sets a key to a string value, whatever it held before; options decide when and for how long.",
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
        .replaced_by = "`SET` with the `GET` argument",
        .deprecated_since = "6.2.0",
        .run = GetSet,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringSetCommands{kTable};

}  // namespace cinnabar::commands
