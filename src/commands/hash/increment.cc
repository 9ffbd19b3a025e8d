// HINCRBY, HINCRBYFLOAT. The expiry of the field stays.
#include <cmath>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/hash/field_list.h"
#include "commands/hash/hash_access.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyHash;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Hash;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// Opens the hash, if there is one, and looks for the field that is to be changed.
bool Open(Call& call, const Key& key, EntryHolder& holder, Hash::Spot& spot) {
  if (!OpenHashToWrite(call, key, holder)) return false;
  if (holder.exists()) {
    Hash hash(holder, FieldClock(call));
    spot = FindToStore(call, key, hash, call.arg(2));
  }
  return true;
}

void Store(Call& call, const Key& key, EntryHolder& holder, const Hash::Spot& spot, std::string_view value) {
  if (holder.exists()) {
    return Hash(holder, FieldClock(call))
        .Store(spot, call.arg(2), value, HashLimits(call), Hash::Life::kKeep);
  }
  const std::string_view pair[] = {call.arg(2), value};
  StorePairs(call, key, holder, pair);
}

void HIncrBy(Call& call) {
  const auto increment = ParseInt64(call.arg(3));
  if (!increment) return call.reply().Error(errors::kNotInteger);
  const Key key = call.key(1);
  EntryHolder holder;
  Hash::Spot spot;
  if (!Open(call, key, holder, spot)) return;
  int64_t value = 0;
  if (spot.found) {
    const auto number =
        spot.value.is_integer ? std::optional<int64_t>(spot.value.integer) : ParseInt64(spot.value.bytes);
    if (!number) return call.reply().Error("ERR hash value is not an integer");
    value = *number;
  }
  if (__builtin_add_overflow(value, *increment, &value)) {
    return call.reply().Error("ERR increment or decrement would overflow");
  }
  char text[kInt64TextBytes];
  Store(call, key, holder, spot, {text, FormatInt64(value, text)});
  call.Changed(kNotifyHash, "hincrby", key);
  call.reply().Integer(value);
}

// The sum goes to the journal as text: another machine might round another way.
void Propagate(Call& call, const Key& key, std::string_view value, Millis expiry) {
  const std::string_view field = call.arg(2);
  call.Propagate({"HSET", key.bytes, field, value});
  if (expiry != types::kNeverExpires) {
    PropagateFields(call, {"HPEXPIREAT", key.bytes, Int64ToString(expiry)}, {&field, 1});
  }
}

void HIncrByFloat(Call& call) {
  const auto increment = ParseLongDouble(call.arg(3));
  if (!increment) return call.reply().Error(errors::kNotFloat);
  if (!std::isfinite(*increment)) return call.reply().Error("ERR value is NaN or Infinity");
  const Key key = call.key(1);
  EntryHolder holder;
  Hash::Spot spot;
  if (!Open(call, key, holder, spot)) return;
  long double value = 0;
  if (spot.found) {
    listpack::Digits digits;
    const auto number = ParseLongDouble(spot.value.Text(digits));
    if (!number) return call.reply().Error("ERR hash value is not a float");
    value = *number;
  }
  value += *increment;
  if (!std::isfinite(value)) return call.reply().Error("ERR increment would produce NaN or Infinity");
  const std::string text = FormatLongDoubleHuman(value);
  const Millis expiry = spot.found ? spot.expiry : types::kNeverExpires;
  Store(call, key, holder, spot, text);
  call.Changed(kNotifyHash, "hincrbyfloat", key);
  Propagate(call, key, text, expiry);
  call.reply().Bulk(text);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view synopsis, std::string_view summary,
                           std::string_view since, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = since,
          .group = "hash",
          .complexity = "O(1)",
          .arity = 4,
          .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate)},
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("hincrby", "key field increment:integer",
         "Adds a number to the integer value of a field. A missing field counts as 0.", "2.0.0", HIncrBy),
    Spec("hincrbyfloat", "key field increment:double",
         "Adds a number to the floating point value of a field. A missing field counts as 0.", "2.6.0",
         HIncrByFloat),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashIncrementCommands{kTable};

}  // namespace cinnabar::commands
