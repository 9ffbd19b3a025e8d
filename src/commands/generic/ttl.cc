// TTL, PTTL, EXPIRETIME, PEXPIRETIME: when a key dies; PERSIST: that it does not.
#include <algorithm>

#include "commands/generic/lookup.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

enum class Unit : uint8_t { kSeconds, kMillis };
enum class Base : uint8_t { kNow, kEpoch };

constexpr int64_t kNoKey = -2;
constexpr int64_t kNoExpiry = -1;

void ReplyExpiry(Call& call, Unit unit, Base base) {
  EntryRef entry = Inspect(call, call.key(1));
  if (!entry) return call.reply().Integer(kNoKey);
  if (!entry->has_expiry()) return call.reply().Integer(kNoExpiry);
  Millis value = entry->expiry();
  if (base == Base::kNow) value = std::max<Millis>(value - call.now(), 0);
  // Half a second more counts as a second.
  call.reply().Integer(unit == Unit::kSeconds ? value / 1000 + (value % 1000 >= 500 ? 1 : 0) : value);
}

void Ttl(Call& call) {
  ReplyExpiry(call, Unit::kSeconds, Base::kNow);
}
void PTtl(Call& call) {
  ReplyExpiry(call, Unit::kMillis, Base::kNow);
}
void ExpireTime(Call& call) {
  ReplyExpiry(call, Unit::kSeconds, Base::kEpoch);
}
void PExpireTime(Call& call) {
  ReplyExpiry(call, Unit::kMillis, Base::kEpoch);
}

void Persist(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!entry || !entry->has_expiry()) return call.reply().Integer(0);
  call.db().SetExpiry(key, entry, keyspace::kNever);
  call.Changed(config::kNotifyGeneric, "persist", key);
  call.reply().Integer(1);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, std::string_view since,
                           std::string_view tips, std::string_view history, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key",
          .summary = summary,
          .since = since,
          .group = "generic",
          .complexity = "O(1)",
          .arity = 2,
          .flags = Flag::kReadOnly | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
          .tips = tips,
          .history = history,
          .run = run};
}

constexpr std::string_view kChanging = "nondeterministic_output";
constexpr std::string_view kHistory = "2.8.0: Added the -2 reply.";

constexpr CommandSpec kTable[] = {
    Spec("ttl", "Returns how many seconds a key has left to live; -1 for ever, -2 for no such key.", "1.0.0",
         kChanging, kHistory, Ttl),
    Spec("pttl", "Returns how many milliseconds a key has left to live; -1 for ever, -2 for no such key.",
         "2.6.0", kChanging, kHistory, PTtl),
    Spec("expiretime", "Returns when a key expires, in seconds since 1970; -1 for never, -2 for no such key.",
         "7.0.0", "", "", ExpireTime),
    Spec("pexpiretime",
         "Returns when a key expires, in milliseconds since 1970; -1 for never, -2 for no such key.", "7.0.0",
         "", "", PExpireTime),
    {
        .name = "persist",
        .synopsis = "key",
        .summary = "Takes the expiry off a key.",
        .since = "2.2.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = Persist,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericTtlCommands{kTable};

}  // namespace cinnabar::commands
