// BITFIELD and BITFIELD_RO: integers of any width inside a string.
#include <algorithm>
#include <vector>

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

struct Step {
  enum class Kind : uint8_t { kGet, kSet, kIncrement } kind = Kind::kGet;
  BitFieldOverflow overflow = BitFieldOverflow::kWrap;
  BitFieldType type = {};
  uint64_t offset = 0;
  int64_t value = 0;

  bool writes() const { return kind != Kind::kGet; }
  size_t end_byte() const { return (offset + type.bits - 1) / 8 + 1; }
};

void ReadOverflow(Args& args, BitFieldOverflow& overflow) {
  if (args.Take("WRAP")) {
    overflow = BitFieldOverflow::kWrap;
  } else if (args.Take("SAT")) {
    overflow = BitFieldOverflow::kSaturate;
  } else if (args.Take("FAIL")) {
    overflow = BitFieldOverflow::kFail;
  } else {
    args.Fail("ERR Invalid OVERFLOW type specified");
  }
}

Step ReadStep(Args& args, const Call& call, BitFieldOverflow overflow) {
  Step step;
  step.overflow = overflow;
  if (args.TakeWith("GET", 2)) {
    step.kind = Step::Kind::kGet;
  } else if (args.TakeWith("SET", 3)) {
    step.kind = Step::Kind::kSet;
  } else if (args.TakeWith("INCRBY", 3)) {
    step.kind = Step::Kind::kIncrement;
  } else {
    args.FailSyntax();
    return step;
  }
  const auto type = BitFieldType::Parse(args.Next());
  if (!type) {
    args.Fail(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
    return step;
  }
  step.type = *type;
  step.offset = ReadBitOffset(args, call, type->bits);
  if (step.writes() && !args.failed()) step.value = args.Int();
  return step;
}

std::vector<Step> ReadSteps(Args& args, const Call& call) {
  std::vector<Step> steps;
  BitFieldOverflow overflow = BitFieldOverflow::kWrap;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("OVERFLOW")) {
      ReadOverflow(args, overflow);
    } else {
      steps.push_back(ReadStep(args, call, overflow));
    }
  }
  return steps;
}

void RunReading(Call& call, const std::vector<Step>& steps) {
  EntryRef entry = call.db().FindRead(call.key(1));
  if (!call.Expect(entry, types::Type::kString)) return;
  keyspace::DigitScratch scratch;
  const std::string_view bytes = entry ? keyspace::StringBytes(*entry, scratch) : std::string_view();
  call.reply().Array(steps.size());
  for (const Step& step : steps) call.reply().Integer(GetBitField(bytes, step.offset, step.type));
}

// Replies to one step; true if it changed the bytes.
bool RunStep(Call& call, const Step& step, std::span<char> bytes) {
  const int64_t old = GetBitField({bytes.data(), bytes.size()}, step.offset, step.type);
  if (!step.writes()) {
    call.reply().Integer(old);
    return false;
  }
  const bool sets = step.kind == Step::Kind::kSet;
  const auto value = sets ? AddToBitField(step.type, step.value, 0, step.overflow)
                          : AddToBitField(step.type, old, step.value, step.overflow);
  if (!value) {
    call.reply().Null();
    return false;
  }
  SetBitField(bytes, step.offset, step.type, *value);
  call.reply().Integer(sets ? old : *value);
  return *value != old;
}

// The string is made long enough for all writes first, even for those that an overflow then refuses.
void RunWriting(Call& call, const std::vector<Step>& steps) {
  size_t needed = 0;
  for (const Step& step : steps) needed = std::max(needed, step.writes() ? step.end_byte() : 0);
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  const size_t before = entry ? keyspace::StringLength(*entry) : 0;
  size_t length = 0;
  char* bytes = GrowString(call, key, entry, needed, length);
  uint64_t changes = 0;
  call.reply().Array(steps.size());
  for (const Step& step : steps) changes += RunStep(call, step, {bytes, length}) ? 1 : 0;
  if (changes == 0 && length == before) return;
  call.Changed(kNotifyString, "setbit", key);
  if (changes > 1) call.MarkDirty(changes - 1);
}

bool Writes(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, &Step::writes);
}

void BitField(Call& call) {
  Args args(call, 2);
  const std::vector<Step> steps = ReadSteps(args, call);
  if (args.failed()) return args.Reply(call);
  if (Writes(steps)) return RunWriting(call, steps);
  RunReading(call, steps);
}

void BitFieldRo(Call& call) {
  Args args(call, 2);
  const std::vector<Step> steps = ReadSteps(args, call);
  if (!args.failed() && Writes(steps)) args.Fail("ERR BITFIELD_RO only supports the GET subcommand");
  if (args.failed()) return args.Reply(call);
  RunReading(call, steps);
}

// Reads only, when there is nothing but GET with its two arguments.
uint16_t UseOfBitFieldKey(std::span<const std::string_view> argv) {
  for (size_t i = 2; i < argv.size(); i += 3) {
    if (argv.size() - i < 3 || !dispatch::SameWord(argv[i], "GET")) {
      return KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate;
    }
  }
  return KeyUse::kRo | KeyUse::kAccess;
}

constexpr CommandSpec kTable[] = {
    {
        .name = "bitfield",
        .synopsis = "key operation:[encoding_offset:(GET encoding offset:integer)|"
                    "write:([OVERFLOW (WRAP|SAT|FAIL)] "
                    "write_operation:((SET encoding offset:integer value:integer)|"
                    "(INCRBY encoding offset:integer increment:integer)))]...",
        .summary = "Reads, sets and increments integers of any width inside a string.",
        .since = "3.2.0",
        .group = "bitmap",
        .complexity = "O(1) for each operation",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {{.use = KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate | KeyUse::kVariableFlags,
                  .first = 1,
                  .notes = "This command allows both access and modification of the key"}},
        .actual_use = UseOfBitFieldKey,
        .run = BitField,
    },
    {
        .name = "bitfield_ro",
        .synopsis = "key [GET encoding offset:integer]...",
        .summary = "Reads integers of any width inside a string.",
        .since = "6.0.0",
        .group = "bitmap",
        .complexity = "O(1) for each operation",
        .arity = -2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = BitFieldRo,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kBitmapBitfieldCommands{kTable};

}  // namespace cinnabar::commands
