// CONFIG and its subcommands: the registry of directives in config/ does the work.
#include <fmt/format.h>

#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "config/config.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

constexpr uint64_t kOperatorFlags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale;

void ConfigGet(Call& call) {
  const std::vector<std::string> patterns(call.argv().begin() + 2, call.argv().end());
  const std::vector<config::NameAndValue> found = call.services().config.Get(patterns);
  call.reply().Map(found.size());
  for (const auto& [name, value] : found) {
    call.reply().Bulk(name);
    call.reply().Bulk(value);
  }
}

void ConfigSet(Call& call) {
  config::Config& config = call.services().config;
  std::vector<config::NameAndValue> pairs;
  for (size_t i = 2; i + 1 < call.argc(); i += 2) {
    if (config.IsSecret(call.arg(i))) call.Redact(i + 1);
    pairs.emplace_back(call.arg(i), call.arg(i + 1));
  }
  if (call.argc() % 2 != 0) return call.reply().Error(errors::kSyntax);
  const auto& facts = call.session().facts;
  constexpr uint32_t kAnyLoading = dispatch::Alarm::kLoading | dispatch::Alarm::kLoadsApart;
  const bool loading = (call.services().alarms.load() & kAnyLoading) != 0;
  const auto done =
      config.Set(pairs, {.client_is_local = facts.loopback || facts.unix_socket, .loading = loading});
  if (!done) return call.reply().Error(fmt::format("{} {}", done.error().code, done.error().message));
  call.reply().Ok();
}

void ConfigResetStat(Call& call) {
  call.services().control.ResetStatistics();
  call.reply().Ok();
}

void ConfigRewrite(Call& call) {
  const Status written = call.services().config.Rewrite();
  if (!written) {
    call.services().log.Warning("CONFIG REWRITE failed: {}", written.error().message);
    return call.reply().Error(fmt::format("ERR {}", written.error().message));
  }
  call.services().log.Notice("CONFIG REWRITE executed with success.");
  call.reply().Ok();
}

void ConfigHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
      "REWRITE",
      "    Rewrite the configuration file.",
  };
  ReplyHelp(call, kLines);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "config",
        .summary = "A container for the commands that read and change the configuration.",
        .since = "2.0.0",
        .group = "server",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "config|get",
        .synopsis = "(parameter)...",
        .summary = "Returns the parameters that match any of the patterns, with their values.",
        .since = "2.0.0",
        .group = "server",
        .complexity = "O(N) when N is the number of configuration parameters provided",
        .arity = -3,
        .flags = kOperatorFlags,
        .history = "7.0.0: Added the ability to pass multiple pattern parameters in one call",
        .run = ConfigGet,
    },
    {
        .name = "config|set",
        .synopsis = "(parameter value)...",
        .summary = "Changes parameters while the server runs: all of them or, if one is refused, none.",
        .since = "2.0.0",
        .group = "server",
        .complexity = "O(N) when N is the number of configuration parameters provided",
        .arity = -4,
        .flags = kOperatorFlags | Flag::kWorld,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .history = "7.0.0: Added the ability to set multiple parameters in one call.",
        .run = ConfigSet,
    },
    {
        .name = "config|resetstat",
        .summary = "Sets the statistics that INFO shows back to zero.",
        .since = "2.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kOperatorFlags | Flag::kWorld,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .run = ConfigResetStat,
    },
    {
        .name = "config|rewrite",
        .summary = "Writes what was changed at run time into the config file.",
        .since = "2.8.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kOperatorFlags | Flag::kWorld,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .run = ConfigRewrite,
    },
    {
        .name = "config|help",
        .summary = "Lists the subcommands.",
        .since = "5.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = ConfigHelp,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerConfigCommands{kTable};

}  // namespace cinnabar::commands
