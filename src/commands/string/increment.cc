// INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.
#include <cmath>
#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyString;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

using keyspace::Place;

// The number that the key holds now: 0 for a missing key. Writes the error and returns false if it holds
// none.
bool ReadInteger(Call& call, const EntryRef& entry, int64_t& value) {
  if (!entry) return true;
  if (entry->place() == Place::kInteger) [[likely]] {
    value = entry->integer();
    return true;
  }
  if (!call.Expect(entry, types::Type::kString)) return false;
  const auto number = keyspace::StringInteger(*entry);
  if (!number) {
    call.reply().Error(errors::kNotInteger);
    return false;
  }
  value = *number;
  return true;
}

void Add(Call& call, int64_t increment) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  int64_t value = 0;
  if (!ReadInteger(call, entry, value)) return;
  if (__builtin_add_overflow(value, increment, &value)) {
    return call.reply().Error("ERR increment or decrement would overflow");
  }
  if (!entry) {
    call.db().Create(key, keyspace::IntegerPayload(value));
  } else if (entry->place() == Place::kInteger) {
    entry->set_word(static_cast<uint64_t>(value));
  } else {
    call.db().Replace(entry, keyspace::IntegerPayload(value));
  }
  call.Changed(kNotifyString, "incrby", key);
  call.reply().Integer(value);
}

void Incr(Call& call) {
  Add(call, 1);
}
void Decr(Call& call) {
  Add(call, -1);
}

void IncrBy(Call& call) {
  const auto increment = ParseInt64(call.arg(2));
  if (!increment) return call.reply().Error(errors::kNotInteger);
  Add(call, *increment);
}

void DecrBy(Call& call) {
  const auto decrement = ParseInt64(call.arg(2));
  if (!decrement) return call.reply().Error(errors::kNotInteger);
  if (*decrement == std::numeric_limits<int64_t>::min())
    return call.reply().Error("ERR decrement would overflow");
  Add(call, -*decrement);
}

// The sum goes to the journal as text: another machine might round another way.
void IncrByFloat(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  long double value = 0;
  if (entry) {
    keyspace::DigitScratch scratch;
    const auto number = ParseLongDouble(keyspace::StringBytes(*entry, scratch));
    if (!number) return call.reply().Error(errors::kNotFloat);
    value = *number;
  }
  const auto increment = ParseLongDouble(call.arg(2));
  if (!increment) return call.reply().Error(errors::kNotFloat);
  value += *increment;
  if (!std::isfinite(value)) return call.reply().Error("ERR increment would produce NaN or Infinity");
  const std::string text = FormatLongDoubleHuman(value);
  // At most some 5,000 digits; only a short text fits into the entry.
  const keyspace::Entry::Payload payload =
      text.size() <= keyspace::Entry::kInlineMax
          ? keyspace::Entry::Payload{types::Type::kString, Place::kInline, text, 0}
          : keyspace::StringPayload(text);
  if (entry) {
    call.db().Replace(entry, payload);
  } else {
    call.db().Create(key, payload);
  }
  call.Changed(kNotifyString, "incrbyfloat", key);
  call.Propagate({"SET", key.bytes, text, "KEEPTTL"});
  call.reply().Bulk(text);
}

constexpr uint64_t kFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;
constexpr dispatch::KeySpec kKey = dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate);

constexpr CommandSpec kTable[] = {
    {
        .name = "incr",
        .synopsis = "key",
        .summary = "Adds one to the integer value of a key. A missing key counts as 0.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .keys = {kKey},
        .run = Incr,
    },
    {
        .name = "decr",
        .synopsis = "key",
        .summary = "Subtracts one from the integer value of a key. A missing key counts as 0.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .keys = {kKey},
        .run = Decr,
    },
    {
        .name = "incrby",
        .synopsis = "key increment:integer",
        .summary = "Adds a number to the integer value of a key. A missing key counts as 0.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kKey},
        .run = IncrBy,
    },
    {
        .name = "decrby",
        .synopsis = "key decrement:integer",
        .summary = "Subtracts a number from the integer value of a key. A missing key counts as 0.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kKey},
        .run = DecrBy,
    },
    {
        .name = "incrbyfloat",
        .synopsis = "key increment:double",
        .summary = "Adds a number to the floating point value of a key. A missing key counts as 0.",
        .since = "2.6.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kKey},
        .run = IncrByFloat,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringIncrementCommands{kTable};

}  // namespace cinnabar::commands
