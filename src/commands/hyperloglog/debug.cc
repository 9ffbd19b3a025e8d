// PFDEBUG and PFSELFTEST: a look inside HyperLogLogs, for tests.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands/hyperloglog/hyperloglog_value.h"
#include "commands/string/string_edit.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;
namespace hll = hyperloglog;

// Writes the error and returns false if the value is corrupt. `changed` tells whether it was sparse.
bool MakeDense(Call& call, const Key& key, EntryRef& entry, bool& changed) {
  changed = hll::EncodingOf(HyperLogLogBytes(*entry)) == hll::Encoding::kSparse;
  if (!changed) return true;
  std::string value(HyperLogLogBytes(*entry));
  if (!hll::ToDense(value)) {
    ReplyCorrupt(call);
    return false;
  }
  StoreBytes(call, key, entry, value);
  call.Changed(0, "", key);
  return true;
}

void GetRegisters(Call& call, const Key& key, EntryRef& entry) {
  bool changed = false;
  if (!MakeDense(call, key, entry, changed)) return;
  const auto registers = std::make_unique<hll::Registers>();
  if (!hll::MergeInto(*registers, HyperLogLogBytes(*entry))) return ReplyCorrupt(call);
  call.reply().Array(registers->values.size());
  for (const uint8_t value : registers->values) call.reply().Integer(value);
}

void Decode(Call& call, const EntryRef& entry) {
  const std::string_view value = HyperLogLogBytes(*entry);
  if (hll::EncodingOf(value) != hll::Encoding::kSparse)
    return call.reply().Error("ERR HLL encoding is not sparse");
  const auto runs = hll::DescribeRuns(value);
  if (!runs) return ReplyCorrupt(call);
  call.reply().Bulk(*runs);
}

void PfDebug(Call& call) {
  const std::string_view word = call.arg(1);
  const Key key = call.key(2);
  EntryRef entry = call.db().FindToChange(key);
  if (!entry) return call.reply().Error("ERR The specified key does not exist");
  if (!ExpectHyperLogLog(call, entry)) return;
  if (dispatch::SameWord(word, "GETREG")) return GetRegisters(call, key, entry);
  if (dispatch::SameWord(word, "DECODE")) return Decode(call, entry);
  if (dispatch::SameWord(word, "ENCODING")) {
    const bool dense = hll::EncodingOf(HyperLogLogBytes(*entry)) == hll::Encoding::kDense;
    return call.reply().Simple(dense ? "dense" : "sparse");
  }
  if (dispatch::SameWord(word, "TODENSE")) {
    bool changed = false;
    if (MakeDense(call, key, entry, changed)) call.reply().Integer(changed ? 1 : 0);
    return;
  }
  call.reply().Error(fmt::format("ERR Unknown PFDEBUG subcommand '{}'", word));
}

void PfSelfTest(Call& call) {
  const auto failure = hll::SelfTest();
  if (failure) return call.reply().Error(fmt::format("TESTFAILED {}", *failure));
  call.reply().Ok();
}

constexpr CommandSpec kTable[] = {
    {
        .name = "pfdebug",
        .synopsis = "subcommand key",
        .summary = "Shows the inside of a HyperLogLog: GETREG, DECODE, ENCODING, TODENSE.",
        .since = "2.8.9",
        .group = "hyperloglog",
        .complexity = "N/A",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kAdmin,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess, 2)},
        .for_system_only = true,
        .run = PfDebug,
    },
    {
        .name = "pfselftest",
        .synopsis = "",
        .summary = "Checks the HyperLogLog registers and estimates on this machine.",
        .since = "2.8.9",
        .group = "hyperloglog",
        .complexity = "N/A",
        .arity = 1,
        .flags = Flag::kAdmin,
        .for_system_only = true,
        .run = PfSelfTest,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHyperloglogDebugCommands{kTable};

}  // namespace cinnabar::commands
