// OBJECT: how a value is kept, and how it is used.
#include <limits>

#include "commands/encoding_name.h"
#include "commands/generic/lookup.h"
#include "commands/help_reply.h"
#include "keyspace/access_clock.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {
namespace {

using config::EvictionPolicy;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Entry;
using keyspace::EntryRef;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Encoding(Call& call) {
  EntryRef entry = Inspect(call, call.key(2));
  if (!entry) return call.reply().Null();
  call.reply().Bulk(EncodingName(call, *entry));
}

// Small integers answer as the shared objects that they are in Redis, under the conditions in which it shares
// them.
bool AnswersAsShared(const Entry& entry, const config::Memory& memory) {
  constexpr int64_t kSharedIntegers = 10000;
  if (entry.type() != types::Type::kString) return false;
  const auto number = keyspace::StringInteger(entry);
  if (entry.place() != keyspace::Place::kInteger || !number || *number < 0 || *number >= kSharedIntegers)
    return false;
  if (memory.maxmemory_bytes == 0) return true;
  switch (memory.maxmemory_policy) {
    case EvictionPolicy::kVolatileLru:
    case EvictionPolicy::kVolatileLfu:
    case EvictionPolicy::kAllKeysLru:
    case EvictionPolicy::kAllKeysLfu:
      return false;
    default:
      return true;
  }
}

void RefCount(Call& call) {
  EntryRef entry = Inspect(call, call.key(2));
  if (!entry) return call.reply().Null();
  const bool shared = AnswersAsShared(*entry, call.settings().memory);
  call.reply().Integer(shared ? std::numeric_limits<int32_t>::max() : 1);
}

void IdleTime(Call& call) {
  EntryRef entry = Inspect(call, call.key(2));
  if (!entry) return call.reply().Null();
  if (call.core().access.lfu) {
    return call.reply().Error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
        "between "
        "policies at runtime LRU and LFU data will take some time to adjust.");
  }
  call.reply().Integer(static_cast<int64_t>(keyspace::IdleSeconds(entry->clock(), call.now())));
}

void Freq(Call& call) {
  EntryRef entry = Inspect(call, call.key(2));
  if (!entry) return call.reply().Null();
  if (!call.core().access.lfu) {
    return call.reply().Error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
        "switching "
        "between policies at runtime LRU and LFU data will take some time to adjust.");
  }
  call.reply().Integer(keyspace::LfuCounter(entry->clock(), call.now(), call.core().access));
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Say how the value of the <key> is kept in memory.",
      "FREQ <key>",
      "    Return the access frequency counter of the <key>: a logarithmic measure of",
      "    how often it was used lately. Needs an LFU policy.",
      "IDLETIME <key>",
      "    Return for how many seconds the <key> has not been used.",
      "REFCOUNT <key>",
      "    Return how many references there are to the value of the <key>.",
  };
  ReplyHelp(call, kLines);
}

constexpr CommandSpec Subcommand(std::string_view name, std::string_view summary, std::string_view since,
                                 dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key",
          .summary = summary,
          .since = since,
          .group = "generic",
          .complexity = "O(1)",
          .arity = 3,
          .flags = Flag::kReadOnly,
          .keys = {dispatch::OneKey(KeyUse::kRo, 2)},
          .tips = "nondeterministic_output",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    {
        .name = "object",
        .synopsis = "",
        .summary = "Holds the commands that look into the representation of values.",
        .since = "2.2.3",
        .group = "generic",
        .complexity = "Depends on the subcommand.",
        .arity = -2,
    },
    Subcommand("object|encoding", "Returns how the value of a key is encoded in memory.", "2.2.3", Encoding),
    Subcommand("object|freq", "Returns the logarithmic access frequency counter of a key.", "4.0.0", Freq),
    {
        .name = "object|help",
        .synopsis = "",
        .summary = "Describes the subcommands.",
        .since = "6.2.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    Subcommand("object|idletime", "Returns for how many seconds a key has not been used.", "2.2.3", IdleTime),
    Subcommand("object|refcount", "Returns the number of references to the value of a key.", "2.2.3",
               RefCount),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericObjectCommands{kTable};

}  // namespace cinnabar::commands
