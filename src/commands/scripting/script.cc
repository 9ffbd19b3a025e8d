// SCRIPT: the scripts that the server knows, and those that run.
#include "commands/help_reply.h"
#include "commands/scripting/freeing.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::RunningScripts;
namespace Flag = dispatch::Flag;

void Load(Call& call) {
  const auto digest = call.services().scripts->Load(call, call.arg(2));
  if (!digest) return call.reply().Error("ERR " + digest.error().message);
  call.reply().Bulk(*digest);
}

void Exists(Call& call) {
  call.reply().Array(call.argc() - 2);
  for (size_t i = 2; i < call.argc(); ++i)
    call.reply().Integer(call.services().scripts->Knows(call.arg(i)) ? 1 : 0);
}

void Flush(Call& call) {
  const auto freeing = TakeFreeing(call);
  if (!freeing) return call.reply().Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  call.services().scripts->FlushScripts(*freeing);
  call.reply().Ok();
}

void Kill(Call& call) {
  const std::string refusal = call.services().running_scripts.Kill(RunningScripts::What::kScripts);
  if (!refusal.empty()) return call.reply().Error(refusal);
  call.reply().Ok();
}

// Without the debugger there is one mode only.
void Debug(Call& call) {
  if (dispatch::SameWord(call.arg(2), "NO")) return call.reply().Ok();
  if (dispatch::SameWord(call.arg(2), "YES") || dispatch::SameWord(call.arg(2), "SYNC"))
    return call.reply().Error("ERR the debugger of scripts is not built into this server");
  call.reply().Error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "DEBUG NO",
      "    Scripts run without a debugger.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Says of each digest whether its script is known.",
      "FLUSH [ASYNC|SYNC]",
      "    Forgets all scripts. The default is what lazyfree-lazy-user-flush says.",
      "    * ASYNC: memory is given back in the background.",
      "    * SYNC: memory is given back before the answer.",
      "KILL",
      "    Ends the scripts that have run for too long and have written nothing.",
      "LOAD <script>",
      "    Compiles a script and keeps it for EVALSHA, without running it.",
  };
  ReplyHelp(call, kLines);
}

constexpr std::string_view kEverywhere = "request_policy:all_nodes,response_policy:all_succeeded";

constexpr CommandSpec kTable[] = {
    {
        .name = "script",
        .synopsis = "",
        .summary = "Manages the scripts that the server knows.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "script|debug",
        .synopsis = "mode:(YES|SYNC|NO)",
        .summary = "Sets the debug mode of scripts.",
        .since = "3.2.0",
        .group = "scripting",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kNoScript,
        .run = Debug,
    },
    {
        .name = "script|exists",
        .synopsis = "sha1:string...",
        .summary = "Says which scripts the server knows.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity =
            "O(N) with N being the number of scripts to check (so checking a single script is an O(1) "
            "operation).",
        .arity = -3,
        .flags = Flag::kNoScript,
        .tips = "request_policy:all_shards,response_policy:agg_logical_and",
        .run = Exists,
    },
    {
        .name = "script|flush",
        .synopsis = "async:[ASYNC|SYNC]",
        .summary = "Forgets all scripts.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = "O(N) with N being the number of scripts in cache",
        .arity = -2,
        .flags = Flag::kNoScript | Flag::kWorld,
        .tips = kEverywhere,
        .history = "6.2.0: Added the `ASYNC` and `SYNC` flushing mode modifiers.",
        .run = Flush,
    },
    {
        .name = "script|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "5.0.0",
        .group = "scripting",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "script|kill",
        .synopsis = "",
        .summary = "Ends scripts that take long.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kNoScript | Flag::kAllowBusy,
        .tips = "request_policy:all_shards,response_policy:one_succeeded",
        .run = Kill,
    },
    {
        .name = "script|load",
        .synopsis = "script:string",
        .summary = "Keeps a script for EVALSHA.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = "O(N) with N being the length in bytes of the script body.",
        .arity = 3,
        .flags = Flag::kNoScript | Flag::kStale,
        .tips = kEverywhere,
        .run = Load,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kScriptingScriptCommands{kTable};

}  // namespace cinnabar::commands
