// BITOP: combines strings bit by bit.
#include <fmt/format.h>

#include <vector>

#include "catalog/errors.h"
#include "commands/generic/removal.h"
#include "commands/string/string_edit.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"
#include "structures/bit_ops.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyString;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct Operation {
  std::string_view word;
  BitOperation operation;
  size_t least_sources;
};

constexpr Operation kOperations[] = {
    {"AND", BitOperation::kAnd, 1},         {"OR", BitOperation::kOr, 1},
    {"XOR", BitOperation::kXor, 1},         {"NOT", BitOperation::kNot, 1},
    {"DIFF", BitOperation::kDifference, 2}, {"DIFF1", BitOperation::kOtherwise, 2},
    {"ANDOR", BitOperation::kAndAny, 2},    {"ONE", BitOperation::kExactlyOne, 1},
};

const Operation* FindOperation(std::string_view word) {
  for (const Operation& operation : kOperations) {
    if (dispatch::SameWord(word, operation.word)) return &operation;
  }
  return nullptr;
}

// The operation, if it can take so many sources; writes the error if not.
const Operation* ReadOperation(Call& call) {
  const Operation* operation = FindOperation(call.arg(1));
  const size_t sources = call.argc() - 3;
  if (operation == nullptr) {
    call.reply().Error(errors::kSyntax);
  } else if (operation->operation == BitOperation::kNot && sources != 1) {
    call.reply().Error("ERR BITOP NOT must be called with a single source key.");
    return nullptr;
  } else if (sources < operation->least_sources) {
    call.reply().Error(
        fmt::format("ERR BITOP {} must be called with at least two source keys.", operation->word));
    return nullptr;
  }
  return operation;
}

void BitOp(Call& call) {
  const Operation* operation = ReadOperation(call);
  if (operation == nullptr) return;
  const Key target = call.key(2);
  const size_t count = call.argc() - 3;
  std::vector<keyspace::DigitScratch> scratches(count);
  std::vector<std::string_view> sources(count);
  for (size_t i = 0; i < count; ++i) {
    const EntryRef entry = call.db().FindRead(call.key(i + 3));
    if (!call.Expect(entry, types::Type::kString)) return;
    if (entry) sources[i] = keyspace::StringBytes(*entry, scratches[i]);
  }
  const std::string result = CombineBits(operation->operation, sources);
  EntryRef entry = call.db().FindToChange(target, keyspace::Use::kSilent);
  if (!result.empty()) {
    StoreBytes(call, target, entry, result);
    call.db().SetExpiry(target, entry, keyspace::kNever);
    call.Changed(kNotifyString, "set", target);
  } else if (entry) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), target, entry, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call.Changed(config::kNotifyGeneric, "del", target);
  }
  call.reply().Integer(static_cast<int64_t>(result.size()));
}

constexpr CommandSpec kTable[] = {{
    .name = "bitop",
    .synopsis = "operation:(AND|OR|XOR|NOT|DIFF@8.2.0|DIFF1@8.2.0|ANDOR@8.2.0|ONE@8.2.0) destkey key...",
    .summary =
        "Combines strings bit by bit (AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR, ONE) and stores the result.",
    .since = "2.6.0",
    .group = "bitmap",
    .complexity = "O(N)",
    .arity = -4,
    .flags = Flag::kWrite | Flag::kDenyOom,
    .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 2),
             dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 3, -1)},
    .run = BitOp,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kBitmapBitopCommands{kTable};

}  // namespace cinnabar::commands
