// HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT: when fields of a hash expire.
//
// The journal gets HPEXPIREAT with the moment itself, or the deletion of the fields when that is past.
#include "base/numbers.h"
#include "commands/hash/field_times.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Hash;
using types::kNeverExpires;
using Unit = ExpiryOption::Unit;
using Base = ExpiryOption::Base;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// The replies for one field.
enum Answer : int64_t { kNoField = -2, kRefused = 0, kSet = 1, kDeleted = 2 };

enum class Condition : uint8_t { kAlways, kIfNone, kIfAny, kIfLater, kIfEarlier };

Condition TakeCondition(Args& args) {
  if (args.Take("NX")) return Condition::kIfNone;
  if (args.Take("XX")) return Condition::kIfAny;
  if (args.Take("GT")) return Condition::kIfLater;
  if (args.Take("LT")) return Condition::kIfEarlier;
  return Condition::kAlways;
}

// A field without expiry lives for ever: nothing is later.
bool Holds(Condition condition, Millis current, Millis wanted) {
  switch (condition) {
    case Condition::kAlways:
      return true;
    case Condition::kIfNone:
      return current == kNeverExpires;
    case Condition::kIfAny:
      return current != kNeverExpires;
    case Condition::kIfLater:
      return wanted > current;
    case Condition::kIfEarlier:
      return wanted < current;
  }
  return false;
}

int64_t ExpireField(FieldTimes& times, std::string_view field, Condition condition, Millis at) {
  const Hash::Spot spot = times.hash().Find(field);
  if (!spot.found) return kNoField;
  if (!Holds(condition, spot.expiry, at)) return kRefused;
  return times.Set(spot, field) == FieldTimes::Outcome::kSet ? kSet : kDeleted;
}

void SetExpiry(Call& call, Unit unit, Base base) {
  Args args(call, 2);
  const Millis at = ReadFieldMoment(call, args, args.Next(), unit, base);
  const Condition condition = TakeCondition(args);
  const FieldList fields = TakeFields(call, args, kFieldsAboveZero);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  reply.Array(fields.size());
  if (!holder.exists()) {
    for (size_t i = 0; i < fields.size(); ++i) reply.Integer(kNoField);
    return;
  }
  FieldTimes times(call, key, holder, at);
  for (std::string_view field : fields) reply.Integer(ExpireField(times, field, condition, at));
  times.Finish();
}

void HExpire(Call& call) {
  SetExpiry(call, Unit::kSeconds, Base::kRelative);
}
void HPExpire(Call& call) {
  SetExpiry(call, Unit::kMillis, Base::kRelative);
}
void HExpireAt(Call& call) {
  SetExpiry(call, Unit::kSeconds, Base::kAbsolute);
}
void HPExpireAt(Call& call) {
  SetExpiry(call, Unit::kMillis, Base::kAbsolute);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view synopsis, std::string_view summary,
                           dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = "7.4.0",
          .group = "hash",
          .complexity = "O(N) for N fields.",
          .arity = -6,
          .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("hexpire", "key seconds:integer condition:[NX|XX|GT|LT] fields:(FIELDS numfields:integer field...)",
         "Lets fields of a hash expire after a number of seconds.", HExpire),
    Spec("hpexpire",
         "key milliseconds:integer condition:[NX|XX|GT|LT] fields:(FIELDS numfields:integer field...)",
         "Lets fields of a hash expire after a number of milliseconds.", HPExpire),
    Spec("hexpireat",
         "key unix-time-seconds:unix-time condition:[NX|XX|GT|LT] fields:(FIELDS numfields:integer field...)",
         "Lets fields of a hash expire at a moment given in seconds since 1970.", HExpireAt),
    Spec("hpexpireat",
         "key unix-time-milliseconds:unix-time condition:[NX|XX|GT|LT] fields:(FIELDS numfields:integer "
         "field...)",
         "Lets fields of a hash expire at a moment given in milliseconds since 1970.", HPExpireAt),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashExpireCommands{kTable};

}  // namespace cinnabar::commands
