// MODULE: this server loads no modules, and says so in the words that clients understand.
#include "commands/help_reply.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void List(Call& call) {
  call.reply().Array(0);
}

void Load(Call& call) {
  call.reply().Error("ERR Error loading the extension. Modules are not part of this server.");
}

void Unload(Call& call) {
  call.reply().Error("ERR Error unloading module: no such module with that name");
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "LIST",
      "    Return a list of loaded modules.",
      "LOAD <path> [<arg> ...]",
      "    Load a module library from <path>, passing to it any optional arguments.",
      "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
      "    Load a module library from <path>, while passing it module configurations and optional arguments.",
      "UNLOAD <name>",
      "    Unload a module.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kLoadFlags = Flag::kAdmin | Flag::kNoScript | Flag::kNoAsyncLoading | Flag::kProtected;

constexpr CommandSpec kTable[] = {
    {
        .name = "module",
        .synopsis = "",
        .summary = "A container for commands about modules.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "module|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "5.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "module|list",
        .synopsis = "",
        .summary = "Returns the loaded modules.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(N) where N is the number of loaded modules.",
        .arity = 2,
        .flags = Flag::kAdmin | Flag::kNoScript,
        .tips = "nondeterministic_output_order",
        .run = List,
    },
    {
        .name = "module|load",
        .synopsis = "path [arg...]",
        .summary = "Loads a module.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = -3,
        .flags = kLoadFlags,
        .run = Load,
    },
    {
        .name = "module|loadex",
        .synopsis = "path configs:[CONFIG name value]... args:[ARGS (arg)...]",
        .summary = "Loads a module with its configuration.",
        .since = "7.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = -3,
        .flags = kLoadFlags,
        .run = Load,
    },
    {
        .name = "module|unload",
        .synopsis = "name",
        .summary = "Unloads a module.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kLoadFlags,
        .run = Unload,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerModuleCommands{kTable};

}  // namespace cinnabar::commands
