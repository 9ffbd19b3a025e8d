// Bits of a range: BITCOUNT counts them, BITPOS finds the first.
#include <algorithm>
#include <optional>

#include "dispatch/args.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"
#include "structures/bit_ops.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// A range as the client wrote it.
struct WantedRange {
  int64_t first = 0;
  int64_t last = -1;
  int64_t unit_bits = 8;

  // The bits of a string of that many bytes; nothing if the range is empty.
  std::optional<BitRange> In(size_t bytes) const {
    const int64_t size = static_cast<int64_t>(bytes) * 8 / unit_bits;
    const int64_t from = first < 0 ? std::max<int64_t>(first + size, 0) : first;
    const int64_t to = std::min(last < 0 ? std::max<int64_t>(last + size, 0) : last, size - 1);
    if (from > to) return std::nullopt;
    return BitRange{static_cast<uint64_t>(from * unit_bits), static_cast<uint64_t>((to + 1) * unit_bits - 1)};
  }
};

void ReadUnit(Args& args, WantedRange& range) {
  if (args.Take("BIT")) {
    range.unit_bits = 1;
  } else if (!args.Take("BYTE")) {
    args.FailSyntax();
  }
  if (args.more()) args.FailSyntax();
}

// The string's bytes, in the second step of both commands: a missing key is answered before the range is
// looked at. Nothing when the reply has been written.
std::optional<std::string_view> Open(Call& call, const Args& args, int64_t reply_if_missing,
                                     keyspace::DigitScratch& scratch) {
  EntryRef entry = call.db().FindRead(call.key(1));
  if (!call.Expect(entry, types::Type::kString)) return std::nullopt;
  if (!entry) {
    call.reply().Integer(reply_if_missing);
    return std::nullopt;
  }
  if (args.failed()) {
    args.Reply(call);
    return std::nullopt;
  }
  return keyspace::StringBytes(*entry, scratch);
}

void BitCount(Call& call) {
  Args args(call, 2);
  WantedRange range;
  if (call.argc() == 4 || call.argc() == 5) {
    range.first = args.Int();
    range.last = args.Int();
    if (args.more()) ReadUnit(args, range);
  } else if (args.more()) {
    args.FailSyntax();
  }
  keyspace::DigitScratch scratch;
  const auto bytes = Open(call, args, 0, scratch);
  if (!bytes) return;
  const bool backwards = range.first < 0 && range.last < 0 && range.first > range.last;
  const auto bits = backwards ? std::nullopt : range.In(bytes->size());
  call.reply().Integer(bits ? static_cast<int64_t>(CountOnes(*bytes, *bits)) : 0);
}

// The unit is looked at before the end of the range.
void ReadPositionRange(Args& args, WantedRange& range) {
  if (args.left() > 3) return args.FailSyntax();
  range.first = args.Int();
  if (args.left() == 2) {
    Args unit = args;
    unit.Skip(1);
    ReadUnit(unit, range);
    if (unit.failed()) return args.Fail(unit.error());
  }
  if (args.more()) range.last = args.Int();
}

// The zeros that a search without an end may find reach beyond the string; with an end they do not.
void BitPos(Call& call) {
  Args args(call, 2);
  const int64_t wanted = args.Int(0, 1, "ERR The bit argument must be 1 or 0.");
  if (args.failed()) return args.Reply(call);
  WantedRange range;
  const bool open_end = args.left() < 2;
  if (args.more()) ReadPositionRange(args, range);
  keyspace::DigitScratch scratch;
  const auto bytes = Open(call, args, wanted == 1 ? -1 : 0, scratch);
  if (!bytes) return;
  const auto bits = range.In(bytes->size());
  if (!bits) return call.reply().Integer(-1);
  const auto found = FindBit(*bytes, wanted == 1 ? Bit::kOne : Bit::kZero, *bits);
  if (found) return call.reply().Integer(static_cast<int64_t>(*found));
  call.reply().Integer(wanted == 0 && open_end ? static_cast<int64_t>(bytes->size()) * 8 : -1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "bitcount",
        .synopsis = "key index:[start:integer end:integer index_unit:[BYTE|BIT]@7.0.0]",
        .summary = "Counts the bits that are set in a string or in a part of it.",
        .since = "2.6.0",
        .group = "bitmap",
        .complexity = "O(N)",
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = "7.0.0: Added the `BYTE|BIT` option.",
        .run = BitCount,
    },
    {
        .name = "bitpos",
        .synopsis =
            "key bit:integer index:[start:integer end_index:[end:integer index_unit:[BYTE|BIT]@7.0.0]]",
        .summary = "Finds the first bit that is set or clear in a string or in a part of it.",
        .since = "2.8.7",
        .group = "bitmap",
        .complexity = "O(N)",
        .arity = -3,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = "7.0.0: Added the `BYTE|BIT` option.",
        .run = BitPos,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kBitmapCountCommands{kTable};

}  // namespace cinnabar::commands
