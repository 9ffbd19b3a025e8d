// COMMAND: what this server can do, as data for clients.
#include <fmt/format.h>

#include "base/glob.h"
#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "dispatch/documentation.h"
#include "dispatch/keys.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::Command;
using dispatch::CommandSpec;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void WriteInfoOfAll(Call& call) {
  const auto commands = call.services().registry.commands();
  call.reply().Array(commands.size());
  for (const Command* command : commands) WriteInfo(*command, call.reply());
}

void CommandAll(Call& call) {
  WriteInfoOfAll(call);
}

void CommandCount(Call& call) {
  call.reply().Integer(static_cast<int64_t>(call.services().registry.commands().size()));
}

void CommandInfo(Call& call) {
  if (call.argc() == 2) return WriteInfoOfAll(call);
  call.reply().Array(call.argc() - 2);
  for (size_t i = 2; i < call.argc(); ++i) {
    const Command* command = call.services().registry.FindByFullName(call.arg(i));
    if (command == nullptr) {
      call.reply().NullArray();
    } else {
      WriteInfo(*command, call.reply());
    }
  }
}

void CommandDocs(Call& call) {
  const dispatch::Registry& registry = call.services().registry;
  std::vector<const Command*> wanted;
  if (call.argc() == 2) wanted.assign(registry.commands().begin(), registry.commands().end());
  for (size_t i = 2; i < call.argc(); ++i) {
    const Command* command = registry.FindByFullName(call.arg(i));
    if (command != nullptr) wanted.push_back(command);
  }
  call.reply().Map(wanted.size());
  for (const Command* command : wanted) {
    WriteDocs(*command, call.settings().general.compat_version, call.reply());
  }
}

// FILTERBY: which commands and subcommands COMMAND LIST names.
struct Filter {
  enum class By : uint8_t { kNothing, kModule, kCategory, kPattern } by = By::kNothing;
  std::string_view pattern;
  uint64_t category = 0;

  static Filter Parse(Args& args);
  bool Passes(const Command& command) const;
};

Filter Filter::Parse(Args& args) {
  Filter filter;
  if (!args.more()) return filter;
  if (args.left() != 3 || !args.Take("FILTERBY")) {
    args.FailSyntax();
  } else if (args.Take("MODULE")) {
    filter.by = By::kModule;
  } else if (args.Take("ACLCAT")) {
    filter.by = By::kCategory;
    // A name without wildcards is a pattern that only the same name matches.
    for (const dispatch::BitName& row : dispatch::CategoryNames()) {
      if (GlobMatch(row.name, args.Peek(), CaseMode::kInsensitive)) filter.category = row.bit;
    }
  } else if (args.Take("PATTERN")) {
    filter.by = By::kPattern;
    filter.pattern = args.Peek();
  } else {
    args.FailSyntax();
  }
  return filter;
}

bool Filter::Passes(const Command& command) const {
  switch (by) {
    case By::kNothing:
      return true;
    case By::kModule:
      return false;  // no command comes from a module
    case By::kCategory:
      return (command.categories & category) != 0;
    case By::kPattern:
      return GlobMatch(pattern, command.name, CaseMode::kInsensitive);
  }
  return false;
}

void CommandList(Call& call) {
  Args args(call, 2);
  const Filter filter = Filter::Parse(args);
  if (args.failed()) return args.Reply(call);
  std::vector<std::string> names;
  // Whoever asks a 7.0 counts with what a 7.0 has. All versions up to now have one digit in each place.
  const bool newer = call.settings().general.compat_version != config::CompatVersion::k70;
  auto add = [&](const Command& command) {
    if (!newer && command.spec->since >= "7.2") return;
    if (filter.Passes(command)) names.push_back(command.name);
  };
  for (const Command* command : call.services().registry.commands()) {
    add(*command);
    for (const Command* subcommand : command->subcommands) add(*subcommand);
  }
  call.reply().BulkArray(names);
}

// The keys of the command that the arguments from the third on call. Writes the error if there are none.
bool FindQuotedKeys(Call& call, std::span<const std::string_view> argv,
                    std::vector<dispatch::KeyPosition>& keys, const Command*& command) {
  command = call.services().registry.Resolve(argv);
  std::string_view error;
  if (command == nullptr || command->spec->run == nullptr) {
    error = "ERR Invalid command specified";
  } else if (command->key_specs == 0) {
    error = "ERR The command has no key arguments";
  } else if (!command->AcceptsArgumentCount(argv.size())) {
    error = "ERR Invalid number of arguments specified for command";
  } else {
    const bool found = FindKeys(*command, argv, keys);
    std::erase_if(keys, [](const dispatch::KeyPosition& key) { return (key.use & KeyUse::kNotKey) != 0; });
    if (command->Is(Flag::kNoMandatoryKeys) && keys.empty()) return true;
    if (found && !keys.empty()) return true;
    error = "ERR Invalid arguments specified for command";
  }
  call.reply().Error(error);
  return false;
}

void CommandGetKeys(Call& call) {
  const auto argv = call.argv().subspan(2);
  std::vector<dispatch::KeyPosition> keys;
  const Command* command = nullptr;
  if (!FindQuotedKeys(call, argv, keys, command)) return;
  call.reply().Array(keys.size());
  for (const dispatch::KeyPosition& key : keys) call.reply().Bulk(argv[key.index]);
}

void CommandGetKeysAndFlags(Call& call) {
  const auto argv = call.argv().subspan(2);
  std::vector<dispatch::KeyPosition> keys;
  const Command* command = nullptr;
  if (!FindQuotedKeys(call, argv, keys, command)) return;
  call.reply().Array(keys.size());
  for (const dispatch::KeyPosition& key : keys) {
    const bool varies = (key.use & KeyUse::kVariableFlags) != 0 && command->spec->actual_use != nullptr;
    call.reply().Array(2);
    call.reply().Bulk(argv[key.index]);
    dispatch::WriteKeyUse(varies ? command->spec->actual_use(argv) : key.use, call.reply());
  }
}

void CommandHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    Return details about all Redis commands.",
      "COUNT",
      "    Return the total number of commands in this Redis server.",
      "LIST",
      "    Return a list of all commands in this Redis server.",
      "INFO [<command-name> ...]",
      "    Return details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "DOCS [<command-name> ...]",
      "    Return documentation details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "GETKEYS <full-command>",
      "    Return the keys from a full Redis command.",
      "GETKEYSANDFLAGS <full-command>",
      "    Return the keys and the access flags from a full Redis command.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kFlags = Flag::kLoading | Flag::kStale | Flag::kSentinel;

constexpr CommandSpec kTable[] = {
    {
        .name = "command",
        .summary = "Describes all commands: arguments, flags, keys, categories.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(N) where N is the total number of Redis commands",
        .arity = -1,
        .flags = kFlags,
        .categories = "connection",
        .tips = "nondeterministic_output_order",
        .run = CommandAll,
    },
    {
        .name = "command|count",
        .summary = "Returns the number of commands.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .categories = "connection",
        .run = CommandCount,
    },
    {
        .name = "command|docs",
        .synopsis = "[command-name...]",
        .summary = "Returns the documentation of some commands, or of all.",
        .since = "7.0.0",
        .group = "server",
        .complexity = "O(N) where N is the number of commands to look up",
        .arity = -2,
        .flags = kFlags,
        .categories = "connection",
        .tips = "nondeterministic_output_order",
        .run = CommandDocs,
    },
    {
        .name = "command|getkeys",
        .synopsis = "command [arg...]",
        .summary = "Returns the arguments of a full command that are keys.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(N) where N is the number of arguments to the command",
        .arity = -3,
        .flags = kFlags,
        .categories = "connection",
        .run = CommandGetKeys,
    },
    {
        .name = "command|getkeysandflags",
        .synopsis = "command [arg...]",
        .summary = "Returns the arguments of a full command that are keys, and what is done to each.",
        .since = "7.0.0",
        .group = "server",
        .complexity = "O(N) where N is the number of arguments to the command",
        .arity = -3,
        .flags = kFlags,
        .categories = "connection",
        .run = CommandGetKeysAndFlags,
    },
    {
        .name = "command|help",
        .summary = "Lists the subcommands.",
        .since = "5.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .categories = "connection",
        .run = CommandHelp,
    },
    {
        .name = "command|info",
        .synopsis = "[command-name...]",
        .summary = "Describes some commands, or all: arguments, flags, keys, categories.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(N) where N is the number of commands to look up",
        .arity = -2,
        .flags = kFlags,
        .categories = "connection",
        .tips = "nondeterministic_output_order",
        .history = "7.0.0: Allowed to be called with no argument to get info on all commands.",
        .run = CommandInfo,
    },
    {
        .name = "command|list",
        .synopsis =
            "filterby:[FILTERBY (MODULE:string module-name|ACLCAT:string category|PATTERN:pattern pattern)]",
        .summary = "Returns the names of all commands and subcommands, or of those that pass a filter.",
        .since = "7.0.0",
        .group = "server",
        .complexity = "O(N) where N is the total number of Redis commands",
        .arity = -2,
        .flags = kFlags,
        .categories = "connection",
        .tips = "nondeterministic_output_order",
        .run = CommandList,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerCommandCommands{kTable};

}  // namespace cinnabar::commands
