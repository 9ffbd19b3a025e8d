// FUNCTION: libraries of functions.
#include <fmt/format.h>

#include "base/glob.h"
#include "commands/help_reply.h"
#include "commands/scripting/freeing.h"
#include "dispatch/dispatcher.h"
#include "persistence/function_payload.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::RunningScripts;
using dispatch::Scripts;
namespace Flag = dispatch::Flag;
namespace ScriptFlag = dispatch::ScriptFlag;

int CoreOf(const Call& call) {
  return call.dispatcher().context().index;
}

void ReplyWrongCount(Call& call) {
  call.reply().Error(fmt::format(
      "ERR unknown subcommand or wrong number of arguments for '{}'. Try FUNCTION HELP.", call.arg(1)));
}

void Load(Call& call) {
  // What the primary has takes the place of what a writable replica was given.
  auto if_there = call.session().upstream ? Scripts::IfThere::kReplace : Scripts::IfThere::kFail;
  for (size_t i = 2; i + 1 < call.argc(); ++i) {
    if (!dispatch::SameWord(call.arg(i), "REPLACE"))
      return call.reply().Error(fmt::format("ERR Unknown option given: {}", call.arg(i)));
    if_there = Scripts::IfThere::kReplace;
  }
  const auto name = call.services().scripts->LoadLibrary(CoreOf(call), call.arg(call.argc() - 1), if_there);
  if (!name) return call.reply().Error("ERR " + name.error().message);
  call.MarkDirty(1);
  call.reply().Bulk(*name);
}

void Delete(Call& call) {
  if (!call.services().scripts->DeleteLibrary(call.arg(2)))
    return call.reply().Error("ERR Library not found");
  call.MarkDirty(1);
  call.reply().Ok();
}

void Flush(Call& call) {
  const auto freeing = TakeFreeing(call);
  if (call.argc() > 3) return ReplyWrongCount(call);
  if (!freeing) return call.reply().Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  call.services().scripts->FlushFunctions(*freeing);
  call.MarkDirty(1);
  call.reply().Ok();
}

void Kill(Call& call) {
  const std::string refusal = call.services().running_scripts.Kill(RunningScripts::What::kFunctions);
  if (!refusal.empty()) return call.reply().Error(refusal);
  call.reply().Ok();
}

std::vector<std::string> Codes(const Call& call) {
  std::vector<std::string> codes;
  for (const auto& library : call.services().scripts->Libraries()) codes.push_back(library.code);
  return codes;
}

void Dump(Call& call) {
  call.reply().Bulk(persistence::DumpFunctions(Codes(call), call.settings().persistence.rdbcompression));
}

void Restore(Call& call) {
  if (call.argc() > 4) return ReplyWrongCount(call);
  auto how = Scripts::Restore::kAppend;
  if (call.argc() == 4 && dispatch::SameWord(call.arg(3), "REPLACE")) {
    how = Scripts::Restore::kReplace;
  } else if (call.argc() == 4 && dispatch::SameWord(call.arg(3), "FLUSH")) {
    how = Scripts::Restore::kFlush;
  } else if (call.argc() == 4 && !dispatch::SameWord(call.arg(3), "APPEND")) {
    return call.reply().Error(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  const auto codes = persistence::ReadFunctions(call.arg(2));
  if (!codes) return call.reply().Error("ERR " + codes.error().message);
  const Status restored = call.services().scripts->RestoreLibraries(CoreOf(call), *codes, how);
  if (!restored) return call.reply().Error("ERR " + restored.error().message);
  call.MarkDirty(1);
  call.reply().Ok();
}

void ReplyFlags(Call& call, uint32_t flags) {
  constexpr struct {
    uint32_t flag;
    std::string_view name;
  } kNames[] = {{ScriptFlag::kNoWrites, "no-writes"},
                {ScriptFlag::kAllowOom, "allow-oom"},
                {ScriptFlag::kAllowStale, "allow-stale"},
                {ScriptFlag::kNoCluster, "no-cluster"},
                {ScriptFlag::kAllowCrossSlotKeys, "allow-cross-slot-keys"}};
  size_t count = 0;
  for (const auto& each : kNames) count += (flags & each.flag) != 0 ? 1 : 0;
  call.reply().Set(count);
  for (const auto& each : kNames) {
    if ((flags & each.flag) != 0) call.reply().Simple(each.name);
  }
}

void ReplyLibrary(Call& call, const Scripts::LibraryFacts& library, bool with_code) {
  protocol::ReplyWriter& reply = call.reply();
  reply.Map(with_code ? 4 : 3);
  reply.Bulk("library_name");
  reply.Bulk(library.name);
  reply.Bulk("engine");
  reply.Bulk("LUA");
  reply.Bulk("functions");
  reply.Array(library.functions.size());
  for (const auto& function : library.functions) {
    reply.Map(3);
    reply.Bulk("name");
    reply.Bulk(function.name);
    reply.Bulk("description");
    if (function.described) {
      reply.Bulk(function.description);
    } else {
      reply.Null();
    }
    reply.Bulk("flags");
    ReplyFlags(call, function.flags);
  }
  if (!with_code) return;
  reply.Bulk("library_code");
  reply.Bulk(library.code);
}

void List(Call& call) {
  bool with_code = false;
  std::optional<std::string_view> pattern;
  for (size_t i = 2; i < call.argc(); ++i) {
    if (!with_code && dispatch::SameWord(call.arg(i), "WITHCODE")) {
      with_code = true;
    } else if (!pattern && dispatch::SameWord(call.arg(i), "LIBRARYNAME")) {
      if (i + 1 == call.argc()) return call.reply().Error("ERR library name argument was not given");
      pattern = call.arg(++i);
    } else {
      return call.reply().Error(fmt::format("ERR Unknown argument {}", call.arg(i)));
    }
  }
  std::vector<Scripts::LibraryFacts> libraries = call.services().scripts->Libraries();
  if (pattern) {
    std::erase_if(libraries, [&](const auto& library) {
      return !GlobMatch(*pattern, library.name, CaseMode::kInsensitive);
    });
  }
  call.reply().Array(libraries.size());
  for (const auto& library : libraries) ReplyLibrary(call, library, with_code);
}

void ReplyRunning(Call& call, const dispatch::RunningScript& script) {
  protocol::ReplyWriter& reply = call.reply();
  const TickClock& clock = call.dispatcher().clock();
  reply.Map(3);
  reply.Bulk("name");
  reply.Bulk(script.name);
  reply.Bulk("command");
  reply.BulkArray(script.argv);
  reply.Bulk("duration_ms");
  reply.Integer(clock.ToMicros(clock.Now() - script.began) / 1000);
}

void Stats(Call& call) {
  protocol::ReplyWriter& reply = call.reply();
  reply.Map(2);
  reply.Bulk("running_script");
  std::shared_ptr<dispatch::RunningScript> running;
  for (const auto& script : call.services().running_scripts.All()) {
    if (script->function()) running = script;
  }
  if (running != nullptr) {
    ReplyRunning(call, *running);
  } else {
    reply.Null();
  }
  reply.Bulk("engines");
  reply.Map(1);
  reply.Bulk("LUA");
  const auto figures = call.services().scripts->LibraryFigures();
  reply.Map(2);
  reply.Bulk("libraries_count");
  reply.Integer(static_cast<int64_t>(figures.libraries));
  reply.Bulk("functions_count");
  reply.Integer(static_cast<int64_t>(figures.functions));
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Makes a library of the code.",
      "DELETE <LIBRARY NAME>",
      "    Removes a library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Describes the libraries: name, engine, functions, and the code if WITHCODE is given.",
      "    LIBRARYNAME shows those whose name matches a pattern.",
      "STATS",
      "    Describes the function that runs (name, command, duration), and counts what each engine has.",
      "KILL",
      "    Ends functions that have run for too long and have written nothing.",
      "FLUSH [ASYNC|SYNC]",
      "    Removes all libraries. The default is what lazyfree-lazy-user-flush says.",
      "    * ASYNC: memory is given back in the background.",
      "    * SYNC: memory is given back before the answer.",
      "DUMP",
      "    Returns all libraries as a payload for FUNCTION RESTORE.",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Restores the libraries of a payload, all of them or none.",
      "    * FLUSH: they take the place of all that are there.",
      "    * APPEND: they are added; a library of the same name is an error. This is the default.",
      "    * REPLACE: they are added, and replace libraries of the same name.",
  };
  ReplyHelp(call, kLines);
}

constexpr std::string_view kAllShards = "request_policy:all_shards,response_policy:all_succeeded";
constexpr uint64_t kChanges = Flag::kNoScript | Flag::kWrite | Flag::kWorld;

constexpr CommandSpec Spec(std::string_view name, std::string_view synopsis, std::string_view summary,
                           std::string_view complexity, int arity, uint64_t flags, dispatch::Handler run,
                           std::string_view tips = {}) {
  CommandSpec spec;
  spec.name = name;
  spec.synopsis = synopsis;
  spec.summary = summary;
  spec.since = "7.0.0";
  spec.group = "scripting";
  spec.complexity = complexity;
  spec.arity = arity;
  spec.flags = flags;
  spec.tips = tips;
  spec.run = run;
  return spec;
}

constexpr CommandSpec kTable[] = {
    Spec("function", "", "Manages libraries of functions.", "Depends on subcommand.", -2, 0, nullptr),
    Spec("function|delete", "library-name:string", "Removes a library and its functions.", "O(1)", 3,
         kChanges, Delete, kAllShards),
    Spec("function|dump", "", "Returns all libraries as one payload.",
         "O(N) where N is the number of functions", 2, Flag::kNoScript, Dump),
    Spec("function|flush", "async:[ASYNC|SYNC]", "Removes all libraries.",
         "O(N) where N is the number of functions deleted", -2, kChanges, Flush, kAllShards),
    Spec("function|help", "", "Returns helpful text about the subcommands.", "O(1)", 2,
         Flag::kLoading | Flag::kStale, Help),
    Spec("function|kill", "", "Ends functions that take long.", "O(1)", 2, Flag::kNoScript | Flag::kAllowBusy,
         Kill, "request_policy:all_shards,response_policy:one_succeeded"),
    Spec("function|list", "[LIBRARYNAME:string library-name-pattern] [WITHCODE]", "Describes the libraries.",
         "O(N) where N is the number of functions", -2, Flag::kNoScript, List,
         "nondeterministic_output_order"),
    Spec("function|load", "[REPLACE] function-code:string", "Makes a library.",
         "O(1) (considering compilation time is redundant)", -3, kChanges | Flag::kDenyOom, Load, kAllShards),
    Spec("function|restore", "serialized-value:string policy:[FLUSH|APPEND|REPLACE]",
         "Restores libraries from a payload.", "O(N) where N is the number of functions on the payload", -3,
         kChanges | Flag::kDenyOom, Restore, kAllShards),
    Spec("function|stats", "", "Describes the function that runs.", "O(1)", 2,
         Flag::kNoScript | Flag::kAllowBusy, Stats,
         "nondeterministic_output,request_policy:all_shards,response_policy:special"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kScriptingFunctionCommands{kTable};

}  // namespace cinnabar::commands
