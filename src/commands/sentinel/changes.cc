// SENTINEL MONITOR, REMOVE, RESET, SET, FAILOVER, CONFIG and FLUSHCONFIG: what people tell a sentinel to do.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "base/numbers.h"
#include "commands/sentinel/machine.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
using sentinel::Primary;
using sentinel::Sentinel;

void Monitor(Call& call) {
  const auto quorum = ParseInt64(call.arg(5));
  if (!quorum) return call.reply().Error("ERR Invalid quorum");
  const auto port = ParseInt64(call.arg(4));
  if (!port) return call.reply().Error("ERR Invalid port");
  if (*quorum <= 0) return call.reply().Error("ERR Quorum must be 1 or greater.");
  if (*port < 0 || *port > 65535) return call.reply().Error("ERR Invalid port number.");
  ReplyChanged(call, Machine(call).Monitor(std::string(call.arg(2)), std::string(call.arg(3)),
                                           static_cast<int>(*port), *quorum));
}

void Remove(Call& call) {
  if (NamedPrimary(call, 2) == nullptr) return;
  Machine(call).Remove(call.arg(2));
  ReplySaved(call);
}

void Reset(Call& call) {
  call.reply().Integer(static_cast<int64_t>(Machine(call).Reset(call.arg(2))));
}

// The options before one that is refused stay changed.
void Set(Call& call) {
  Sentinel& machine = Machine(call);
  Primary* primary = NamedPrimary(call, 2);
  if (primary == nullptr) return;
  for (size_t i = 3; i < call.argc(); ++i) {
    if (SameWord(call.arg(i), "AUTH-PASS")) call.Redact(i + 1);
  }
  for (size_t i = 3, words = 0; i < call.argc(); i += words) {
    words = Sentinel::SetWords(call.arg(i));
    if (words == 0 || words > call.argc() - i) {
      [[maybe_unused]] const Status saved = machine.Flush();
      return call.reply().Error(
          fmt::format("ERR Unknown option or number of arguments for SENTINEL SET '{}'", call.arg(i)));
    }
    const Status set = machine.Set(*primary, call.argv().subspan(i, words));
    if (set) continue;
    [[maybe_unused]] const Status saved = machine.Flush();
    return call.reply().Error(set.error().message);
  }
  ReplyChanged(call, machine.Flush());
}

void Failover(Call& call) {
  Primary* primary = NamedPrimary(call, 2);
  if (primary != nullptr) ReplyChanged(call, Machine(call).Failover(*primary));
}

void ConfigGet(Call& call) {
  std::vector<std::pair<std::string, std::string>> found = Machine(call).OptionValues();
  std::erase_if(found, [&](const auto& option) {
    return !GlobMatch(call.arg(3), option.first, CaseMode::kInsensitive);
  });
  call.reply().Map(found.size());
  for (const auto& [name, value] : found) {
    call.reply().Bulk(name);
    call.reply().Bulk(value);
  }
}

void Config(Call& call) {
  if (SameWord(call.arg(2), "GET") && call.argc() == 4) return ConfigGet(call);
  if (SameWord(call.arg(2), "SET") && call.argc() == 5) {
    if (SameWord(call.arg(3), "SENTINEL-PASS")) call.Redact(4);
    return ReplyChanged(call, Machine(call).SetOption(call.arg(3), call.arg(4)));
  }
  call.reply().Error("ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.");
}

void FlushConfig(Call& call) {
  ReplyChanged(call, Machine(call).Flush());
}

constexpr CommandSpec kTable[] = {
    SentinelCommand("sentinel|monitor", "name ip port:integer quorum:integer",
                    "Begins to monitor a master under a name.", 6, Monitor),
    SentinelCommand("sentinel|remove", "master-name", "Monitors a master no longer.", 3, Remove),
    Costing(SentinelCommand("sentinel|reset", "pattern:pattern",
                            "Forgets the replicas, the other sentinels and the failover of the masters whose "
                            "names match a pattern.",
                            3, Reset),
            "O(N) where N is the number of monitored masters"),
    SentinelCommand("sentinel|set", "master-name option_value:(option value)...",
                    "Changes how a master is monitored.", -5, Set),
    Costing(SentinelCommand("sentinel|failover", "master-name",
                            "Makes a replica the master, without asking other sentinels.", 3, Failover),
            ""),
    Since(SentinelCommand("sentinel|config",
                          "set_or_get:(SET set_param_value:(parameter value)...|GET:string parameter...)",
                          "Shows or changes options of this sentinel.", -3, Config),
          "6.2.0"),
    SentinelCommand("sentinel|flushconfig", "", "Writes the config file, with the state of this sentinel.", 2,
                    FlushConfig),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSentinelChangesCommands{kTable};

}  // namespace cinnabar::commands
