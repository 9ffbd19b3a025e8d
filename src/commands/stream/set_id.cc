// XSETID.
#include <optional>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_key.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::Stream;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct SetIdOptions {
  StreamId id;
  std::optional<uint64_t> entries_added;
  StreamId max_deleted_id;
};

SetIdOptions ParseOptions(Args& args) {
  SetIdOptions options{.id = TakeStreamId(args)};
  while (args.more() && !args.failed()) {
    if (args.TakeWith("ENTRIESADDED")) {
      const int64_t added = args.Int();
      if (added < 0) args.Fail("ERR entries_added must be positive");
      options.entries_added = static_cast<uint64_t>(added);
    } else if (args.TakeWith("MAXDELETEDID")) {
      options.max_deleted_id = TakeStreamId(args);
      if (options.id < options.max_deleted_id)
        args.Fail("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

// Why the stream cannot have these facts; empty when it can.
std::string_view Objection(const Stream& stream, const SetIdOptions& options,
                           const catalog::StreamRules& rules) {
  using BelowDeleted = catalog::StreamRules::BelowDeleted;
  if (rules.set_id_below_deleted == BelowDeleted::kRefused && options.id < stream.max_deleted_id)
    return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
  if (stream.empty()) return {};
  if (options.id < stream.LastId())
    return "ERR The ID specified in XSETID is smaller than the target stream top item";
  if (options.entries_added && *options.entries_added < stream.length())
    return "ERR The entries_added specified in XSETID is smaller than the target stream length";
  return {};
}

void XSetId(Call& call) {
  Args args(call, 2);
  const SetIdOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  const keyspace::Key key = call.key(1);
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return;
  if (stream == nullptr) return call.reply().Error(errors::kNoSuchKey);
  const std::string_view objection = Objection(*stream, options, StreamRulesOf(call));
  if (!objection.empty()) return call.reply().Error(objection);
  if (options.id < stream->last_id) stream->ForgetDeletedAtEnd();
  stream->last_id = options.id;
  if (options.entries_added) stream->entries_added = *options.entries_added;
  if (!options.max_deleted_id.IsZero()) stream->max_deleted_id = options.max_deleted_id;
  call.Changed(config::kNotifyStream, "xsetid", key);
  call.reply().Ok();
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xsetid",
        .synopsis = "key last-id [ENTRIESADDED:integer entries_added]@7.0.0 "
                    "[MAXDELETEDID:string max_deleted_entry_id]@7.0.0",
        .summary = "Sets what a stream remembers of its ids. Meant for replication.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .history = "7.0.0: Added the `entries_added` and `max_deleted_entry_id` arguments.",
        .run = XSetId,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamSetIdCommands{kTable};

}  // namespace cinnabar::commands
