// XGROUP: makes, changes and removes consumer groups and their consumers.
#include <fmt/format.h>

#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "commands/stream/group_access.h"
#include "commands/stream/stream_arguments.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyStream;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::Stream;
using types::StreamGroup;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr std::string_view kKeyMustExist =
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
    "MKSTREAM "
    "option to create an empty stream automatically.";

struct GroupOptions {
  enum class Missing : uint8_t { kRefuse, kMakeStream } missing = Missing::kRefuse;
  int64_t entries_read = StreamGroup::kReadUnknown;
};

enum class Accepts : uint8_t { kEntriesRead, kMakeStreamToo };

std::string WrongArguments(const Call& call) {
  return fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try XGROUP HELP.",
                     call.arg(1));
}

GroupOptions ParseOptions(Call& call, Args& args, Accepts accepts) {
  GroupOptions options;
  while (args.more() && !args.failed()) {
    if (accepts == Accepts::kMakeStreamToo && args.Take("MKSTREAM")) {
      options.missing = GroupOptions::Missing::kMakeStream;
    } else if (args.TakeWith("ENTRIESREAD")) {
      options.entries_read = args.Int();
      if (options.entries_read < 0 && options.entries_read != StreamGroup::kReadUnknown)
        args.Fail("ERR value for ENTRIESREAD must be positive or -1");
    } else {
      args.Fail(WrongArguments(call));
    }
  }
  // Each option once at most.
  if (call.argc() > (accepts == Accepts::kMakeStreamToo ? 8 : 7)) args.Fail(WrongArguments(call));
  return options;
}

// The position that a group is to have: an id, or "$" for the end of the stream.
std::optional<StreamId> PositionOr(Call& call, std::string_view text, const Stream* stream) {
  if (text == "$") return stream == nullptr ? StreamId{} : stream->last_id;
  const auto id = types::ParseStreamId(text, 0);
  if (!id) call.reply().Error(errors::kInvalidStreamId);
  return id;
}

// Opens the stream at argument 2. Null when the error has been answered.
Stream* OpenStream(Call& call, const Key& key) {
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return nullptr;
  if (stream == nullptr) call.reply().Error(kKeyMustExist);
  return stream;
}

// Opens the group at arguments 2 and 3. False when the error has been answered.
bool OpenNamed(Call& call, NamedGroup& named) {
  named.key = call.key(2);
  named.name = call.arg(3);
  named.stream = OpenStream(call, named.key);
  if (named.stream == nullptr) return false;
  named.group = named.stream->FindGroup(named.name);
  if (named.group != nullptr) return true;
  call.reply().Error(
      fmt::format("NOGROUP No such consumer group '{}' for key name '{}'", named.name, named.key.bytes));
  return false;
}

void Create(Call& call) {
  Args args(call, 5);
  const GroupOptions options = ParseOptions(call, args, Accepts::kMakeStreamToo);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(2);
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return;
  if (stream == nullptr && options.missing == GroupOptions::Missing::kRefuse)
    return call.reply().Error(kKeyMustExist);
  const auto position = PositionOr(call, call.arg(4), stream);
  if (!position) return;
  if (stream == nullptr) stream = &MakeStream(call, key);
  if (stream->AddGroup(call.arg(3), *position, options.entries_read) == nullptr)
    return call.reply().Error("BUSYGROUP Consumer Group name already exists");
  call.Changed(kNotifyStream, "xgroup-create", key);
  call.reply().Ok();
}

void SetId(Call& call) {
  Args args(call, 5);
  const GroupOptions options = ParseOptions(call, args, Accepts::kEntriesRead);
  if (args.failed()) return args.Reply(call);
  NamedGroup named;
  if (!OpenNamed(call, named)) return;
  // As a range has them, unlike XGROUP CREATE.
  const std::string_view text = call.arg(4);
  const auto position = text == "-"   ? types::kStreamIdMin
                        : text == "+" ? types::kStreamIdMax
                                      : PositionOr(call, text, named.stream);
  if (!position) return;
  named.group->last_id = *position;
  named.group->entries_read = options.entries_read;
  call.Changed(kNotifyStream, "xgroup-setid", named.key);
  call.reply().Ok();
}

void Destroy(Call& call) {
  const Key key = call.key(2);
  Stream* stream = OpenStream(call, key);
  if (stream == nullptr) return;
  if (!stream->RemoveGroup(call.arg(3))) return call.reply().Integer(0);
  call.Changed(kNotifyStream, "xgroup-destroy", key);
  call.reply().Integer(1);
}

void CreateConsumer(Call& call) {
  NamedGroup named;
  if (!OpenNamed(call, named)) return;
  if (named.group->FindConsumer(call.arg(4)) != nullptr) return call.reply().Integer(0);
  SeeConsumer(call, named, call.arg(4));
  call.reply().Integer(1);
}

void DeleteConsumer(Call& call) {
  NamedGroup named;
  if (!OpenNamed(call, named)) return;
  if (named.group->FindConsumer(call.arg(4)) == nullptr) return call.reply().Integer(0);
  const size_t pending = named.group->RemoveConsumer(call.arg(4));
  call.Changed(kNotifyStream, "xgroup-delconsumer", named.key);
  call.reply().Integer(static_cast<int64_t>(pending));
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Make a consumer group. Options are:",
      "    * MKSTREAM",
      "      Make an empty stream if there is none.",
      "    * ENTRIESREAD entries_read",
      "      Say how many entries the group has read (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Make a consumer in a group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove a consumer with all that it has pending.",
      "DESTROY <key> <groupname>",
      "    Remove a group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the position of a group.",
  };
  ReplyHelp(call, kLines);
}

constexpr CommandSpec Subcommand(std::string_view name, std::string_view synopsis, std::string_view summary,
                                 int arity, uint64_t flags, int use, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = "5.0.0",
          .group = "stream",
          .complexity = "O(1)",
          .arity = arity,
          .flags = flags,
          .keys = {dispatch::OneKey(KeyUse::kRw | use, 2)},
          .run = run};
}

constexpr CommandSpec With(CommandSpec spec, std::string_view since, std::string_view complexity,
                           std::string_view history) {
  spec.since = since;
  spec.complexity = complexity;
  spec.history = history;
  return spec;
}

constexpr uint64_t kAdds = Flag::kWrite | Flag::kDenyOom;

constexpr CommandSpec kTable[] = {
    {
        .name = "xgroup",
        .synopsis = "",
        .summary = "A container for commands about consumer groups.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    With(Subcommand("xgroup|create",
                    "key groupname id:(id|$:pure-token new_id) [MKSTREAM] [ENTRIESREAD:integer entries_read]",
                    "Makes a consumer group.", -5, kAdds, KeyUse::kInsert, Create),
         "5.0.0", "O(1)", "7.0.0: Added the `entries_read` named argument."),
    With(Subcommand("xgroup|createconsumer", "key groupname consumername", "Makes a consumer in a group.", 5,
                    kAdds, KeyUse::kInsert, CreateConsumer),
         "6.2.0", "O(1)", ""),
    Subcommand("xgroup|delconsumer", "key groupname consumername",
               "Removes a consumer from a group, with what it has pending.", 5, Flag::kWrite, KeyUse::kDelete,
               DeleteConsumer),
    With(Subcommand("xgroup|destroy", "key groupname", "Removes a consumer group.", 4, Flag::kWrite,
                    KeyUse::kDelete, Destroy),
         "5.0.0", "O(N) for N pending entries of the group.", ""),
    {
        .name = "xgroup|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    With(Subcommand("xgroup|setid",
                    "key groupname id:(id|$:pure-token new_id) [ENTRIESREAD:integer entries_read]",
                    "Sets the position of a consumer group.", -5, Flag::kWrite, KeyUse::kUpdate, SetId),
         "5.0.0", "O(1)", "7.0.0: Added the optional `entries_read` argument."),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamGroupCommands{kTable};

}  // namespace cinnabar::commands
