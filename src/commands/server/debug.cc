// DEBUG: what tests and the curious ask of a server. One plain command, as in Redis, whose first argument
// chooses.
#include "commands/server/debug.h"

#include <fmt/format.h>

#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

constexpr DebugSubcommand kOwn[] = {
    {"help", 0, 0, DebugHelp},
    {"protocol", 1, 1, DebugProtocol},
};

bool SameName(std::string_view word, std::string_view lower) {
  if (word.size() != lower.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i] >= 'A' && word[i] <= 'Z' ? static_cast<char>(word[i] + 32) : word[i];
    if (c != lower[i]) return false;
  }
  return true;
}

const DebugSubcommand* Find(std::string_view name, size_t arguments) {
  const std::span<const DebugSubcommand> tables[] = {kOwn, kDebugDataSubcommands, kDebugProcessSubcommands,
                                                     kDebugListSubcommands, kDebugClusterSubcommands};
  for (std::span<const DebugSubcommand> table : tables) {
    for (const DebugSubcommand& row : table) {
      if (!SameName(name, row.name)) continue;
      if (arguments >= row.arguments_min && arguments <= row.arguments_max) return &row;
    }
  }
  return nullptr;
}

}  // namespace

// The name that people look for in the watchdog's stack trace while DEBUG SLEEP runs.
extern "C" [[gnu::noinline]] void debugCommand(Call& call) {
  const DebugSubcommand* subcommand = Find(call.arg(1), call.argc() - 2);
  if (subcommand == nullptr) {
    return call.reply().Error(
        fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
                    call.arg(1).substr(0, 128)));
  }
  subcommand->run(call);
  // Not a tail call, which would take this frame off the stack.
  asm volatile("" ::: "memory");
}

namespace {

constexpr CommandSpec kTable[] = {{
    .name = "debug",
    .summary = "Looks into the server and upsets it, for tests. See DEBUG HELP.",
    .since = "1.0.0",
    .group = "server",
    .complexity = "Depends on subcommand.",
    .arity = -2,
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kProtected | Flag::kWorld,
    .for_system_only = true,
    .run = debugCommand,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerDebugCommands{kTable};

}  // namespace cinnabar::commands
