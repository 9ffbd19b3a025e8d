// EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT: when a key dies.
//
// Whatever unit and base a client chose, the journal gets PEXPIREAT with the moment itself, or the removal
// when that moment is past.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/generic/removal.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
using keyspace::kNever;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

enum class Unit : uint8_t { kSeconds, kMillis };
enum class Base : uint8_t { kNow, kEpoch };

// When the new expiry is to replace the old one.
struct Conditions {
  bool if_none = false;     // NX
  bool if_any = false;      // XX
  bool if_later = false;    // GT; a key without expiry lives for ever, nothing is later
  bool if_earlier = false;  // LT

  bool Hold(Millis current, Millis wanted) const {
    if (if_none && current != kNever) return false;
    if (if_any && current == kNever) return false;
    if (if_later && wanted <= current) return false;
    if (if_earlier && wanted >= current) return false;
    return true;
  }
};

Conditions ParseConditions(Args& args) {
  Conditions conditions;
  while (args.more() && !args.failed()) {
    if (args.Take("NX")) {
      conditions.if_none = true;
    } else if (args.Take("XX")) {
      conditions.if_any = true;
    } else if (args.Take("GT")) {
      conditions.if_later = true;
    } else if (args.Take("LT")) {
      conditions.if_earlier = true;
    } else {
      args.Fail(fmt::format("ERR Unsupported option {}", args.Peek()));
    }
  }
  if (conditions.if_none && (conditions.if_any || conditions.if_later || conditions.if_earlier)) {
    args.Fail("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions.if_later && conditions.if_earlier) {
    args.Fail("ERR GT and LT options at the same time are not compatible");
  }
  return conditions;
}

// The moment in milliseconds since the epoch; none when it cannot be expressed.
std::optional<Millis> MomentOf(int64_t value, Unit unit, Millis base) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  if (unit == Unit::kSeconds) {
    if (value > kMost / 1000 || value < kLeast / 1000) return std::nullopt;
    value *= 1000;
  }
  if (value > kMost - base) return std::nullopt;
  return std::min(value + base, kNever - 1);
}

void RemoveExpired(Call& call, const Key& key, EntryRef entry) {
  const bool lazy = call.settings().memory.lazyfree_lazy_expire;
  Remove(call, call.db(), key, entry, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  call.Changed(config::kNotifyGeneric, "del", key);
  call.Propagate({lazy ? "UNLINK" : "DEL", key.bytes});
}

void SetExpiry(Call& call, Unit unit, Base base) {
  Args args(call, 3);
  const Conditions conditions = ParseConditions(args);
  const auto value = ParseInt64(call.arg(2));
  if (!value) args.Fail(errors::kNotInteger);
  if (args.failed()) return args.Reply(call);
  const auto moment = MomentOf(*value, unit, base == Base::kNow ? call.now() : 0);
  if (!moment) {
    return call.reply().Error(fmt::format("ERR invalid expire time in '{}' command", call.command().name));
  }
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!entry || !conditions.Hold(entry->expiry(), *moment)) return call.reply().Integer(0);
  // A journal that is replayed says itself what has gone: what comes next in it counts on the key.
  if (*moment <= call.now() && call.core().may_expire && !call.core().replaying) {
    RemoveExpired(call, key, entry);
  } else {
    call.db().SetExpiry(key, entry, *moment);
    call.Changed(config::kNotifyGeneric, "expire", key);
    call.Propagate({"PEXPIREAT", key.bytes, Int64ToString(*moment)});
  }
  call.reply().Integer(1);
}

void Expire(Call& call) {
  SetExpiry(call, Unit::kSeconds, Base::kNow);
}
void PExpire(Call& call) {
  SetExpiry(call, Unit::kMillis, Base::kNow);
}
void ExpireAt(Call& call) {
  SetExpiry(call, Unit::kSeconds, Base::kEpoch);
}
void PExpireAt(Call& call) {
  SetExpiry(call, Unit::kMillis, Base::kEpoch);
}

constexpr std::string_view kHistory = "7.0.0: Added options: `NX`, `XX`, `GT` and `LT`.";

constexpr CommandSpec Spec(std::string_view name, std::string_view synopsis, std::string_view summary,
                           std::string_view since, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = since,
          .group = "generic",
          .complexity = "O(1)",
          .arity = -3,
          .flags = Flag::kWrite | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
          .history = kHistory,
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("expire", "key seconds:integer condition:[NX|XX|GT|LT]@7.0.0",
         "Lets a key expire after a number of seconds.", "1.0.0", Expire),
    Spec("pexpire", "key milliseconds:integer condition:[NX|XX|GT|LT]@7.0.0",
         "Lets a key expire after a number of milliseconds.", "2.6.0", PExpire),
    Spec("expireat", "key unix-time-seconds:unix-time condition:[NX|XX|GT|LT]@7.0.0",
         "Lets a key expire at a moment given in seconds since 1970.", "1.2.0", ExpireAt),
    Spec("pexpireat", "key unix-time-milliseconds:unix-time condition:[NX|XX|GT|LT]@7.0.0",
         "Lets a key expire at a moment given in milliseconds since 1970.", "2.6.0", PExpireAt),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericExpireCommands{kTable};

}  // namespace cinnabar::commands
