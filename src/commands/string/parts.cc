// Parts of strings: APPEND, SETRANGE, GETRANGE, and SUBSTR, its older name.
#include <algorithm>
#include <cstring>

#include "commands/string/string_edit.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyString;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Append(Call& call) {
  const Key key = call.key(1);
  const std::string_view tail = call.arg(2);
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  size_t length = tail.size();
  if (!entry) {
    call.db().Create(key, keyspace::StringPayload(tail));
  } else {
    const size_t before = keyspace::StringLength(*entry);
    if (!CheckStringSize(call, before + tail.size())) return;
    char* bytes = GrowString(call, key, entry, before + tail.size(), length);
    std::memcpy(bytes + before, tail.data(), tail.size());
  }
  call.Changed(kNotifyString, "append", key);
  call.reply().Integer(static_cast<int64_t>(length));
}

void SetRange(Call& call) {
  Args args(call, 2);
  const int64_t offset = args.Int(0, INT64_MAX, "ERR offset is out of range");
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  const std::string_view part = call.arg(3);
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  // Writing nothing neither makes a key nor lengthens a string, however far off.
  if (part.empty())
    return call.reply().Integer(entry ? static_cast<int64_t>(keyspace::StringLength(*entry)) : 0);
  const uint64_t end = static_cast<uint64_t>(offset) + part.size();
  if (!CheckStringSize(call, end)) return;
  size_t length = 0;
  char* bytes = GrowString(call, key, entry, end, length);
  std::memcpy(bytes + offset, part.data(), part.size());
  call.Changed(kNotifyString, "setrange", key);
  call.reply().Integer(static_cast<int64_t>(length));
}

// The bytes first to last, both included; negative positions count from the end. What lies outside is left
// out.
std::string_view Part(std::string_view bytes, int64_t first, int64_t last) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (first < 0 && last < 0 && first > last) return {};
  if (first < 0) first = std::max<int64_t>(first + size, 0);
  if (last < 0) last = std::max<int64_t>(last + size, 0);
  last = std::min(last, size - 1);
  if (first > last) return {};
  return bytes.substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1));
}

void GetRange(Call& call) {
  Args args(call, 2);
  const int64_t first = args.Int();
  const int64_t last = args.Int();
  if (args.failed()) return args.Reply(call);
  EntryRef entry = call.db().FindRead(call.key(1));
  if (!call.Expect(entry, types::Type::kString)) return;
  keyspace::DigitScratch scratch;
  call.reply().Bulk(entry ? Part(keyspace::StringBytes(*entry, scratch), first, last) : std::string_view());
}

constexpr CommandSpec kTable[] = {
    {
        .name = "append",
        .synopsis = "key value",
        .summary = "Appends bytes to the string value of a key, and creates the key if it does not exist.",
        .since = "2.0.0",
        .group = "string",
        .complexity = "O(M) for M appended bytes, amortized: a string that grows gets room to grow further.",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
        .run = Append,
    },
    {
        .name = "setrange",
        .synopsis = "key offset:integer value",
        .summary =
            "Overwrites a part of a string value, from an offset on. Fills the gap, if any, with zero bytes.",
        .since = "2.2.0",
        .group = "string",
        .complexity = "O(M) for M overwritten bytes, as long as the string does not have to grow.",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = SetRange,
    },
    {
        .name = "getrange",
        .synopsis = "key start:integer end:integer",
        .summary = "Returns a part of the string value of a key.",
        .since = "2.4.0",
        .group = "string",
        .complexity = "O(N) where N is the length of the returned string.",
        .arity = 4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = GetRange,
    },
    {
        .name = "substr",
        .synopsis = "key start:integer end:integer",
        .summary = "Returns a part of the string value of a key.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(N) where N is the length of the returned string.",
        .arity = 4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .replaced_by = "`GETRANGE`",
        .deprecated_since = "2.0.0",
        .run = GetRange,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringPartsCommands{kTable};

}  // namespace cinnabar::commands
