// One bit of a string: SETBIT, GETBIT.
#include "commands/bitmap/bit_offset.h"
#include "commands/string/string_edit.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "structures/bit_ops.h"

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

void SetBitCommand(Call& call) {
  Args args(call, 2);
  const uint64_t offset = ReadBitOffset(args, call);
  if (args.failed()) return args.Reply(call);
  const std::string_view wanted = call.arg(3);
  if (wanted != "0" && wanted != "1") return call.reply().Error("ERR bit is not an integer or out of range");
  const Bit bit = wanted == "1" ? Bit::kOne : Bit::kZero;
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  const size_t before = entry ? keyspace::StringLength(*entry) : 0;
  size_t length = 0;
  char* bytes = GrowString(call, key, entry, offset / 8 + 1, length);
  const Bit old = SetBit({bytes, length}, offset, bit);
  if (length != before || old != bit) call.Changed(kNotifyString, "setbit", key);
  call.reply().Integer(old == Bit::kOne ? 1 : 0);
}

void GetBitCommand(Call& call) {
  Args args(call, 2);
  const uint64_t offset = ReadBitOffset(args, call);
  if (args.failed()) return args.Reply(call);
  EntryRef entry = call.db().FindRead(call.key(1));
  if (!call.Expect(entry, types::Type::kString)) return;
  if (!entry) return call.reply().Integer(0);
  keyspace::DigitScratch scratch;
  call.reply().Integer(GetBit(keyspace::StringBytes(*entry, scratch), offset) == Bit::kOne ? 1 : 0);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "setbit",
        .synopsis = "key offset:integer value:integer",
        .summary = "Sets or clears the bit at an offset of a string and returns what it was. The string "
                   "grows as needed.",
        .since = "2.2.0",
        .group = "bitmap",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate)},
        .run = SetBitCommand,
    },
    {
        .name = "getbit",
        .synopsis = "key offset:integer",
        .summary = "Returns the bit at an offset of a string; 0 beyond its end.",
        .since = "2.2.0",
        .group = "bitmap",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = GetBitCommand,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kBitmapBitCommands{kTable};

}  // namespace cinnabar::commands
