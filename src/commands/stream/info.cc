// XINFO: what is known of streams, groups and consumers.
#include <fmt/format.h>

#include <optional>

#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "commands/stream/group_access.h"
#include "commands/stream/stream_reply.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using catalog::StreamRules;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using protocol::ReplyWriter;
using types::Stream;
using types::StreamConsumer;
using types::StreamCursor;
using types::StreamGroup;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Field(ReplyWriter& reply, std::string_view name, int64_t value) {
  reply.Bulk(name);
  reply.Integer(value);
}
void Field(ReplyWriter& reply, std::string_view name, size_t value) {
  Field(reply, name, static_cast<int64_t>(value));
}
void Field(ReplyWriter& reply, std::string_view name, StreamId value) {
  reply.Bulk(name);
  ReplyId(reply, value);
}
void Field(ReplyWriter& reply, std::string_view name, std::optional<int64_t> value) {
  reply.Bulk(name);
  if (value) {
    reply.Integer(*value);
  } else {
    reply.Null();
  }
}

std::optional<int64_t> EntriesRead(const StreamGroup& group) {
  if (group.entries_read == StreamGroup::kReadUnknown) return std::nullopt;
  return group.entries_read;
}

// Null when the error has been answered.
Stream* OpenStream(Call& call) {
  Stream* stream;
  if (!OpenStreamToRead(call, call.key(2), stream)) return nullptr;
  if (stream == nullptr) call.reply().Error(errors::kNoSuchKey);
  return stream;
}

constexpr size_t kCommonFields = 7;
void ReplyCommon(ReplyWriter& reply, const Stream& stream) {
  Field(reply, "length", static_cast<int64_t>(stream.length()));
  // As Redis counts them: a tree of nodes has a root.
  Field(reply, "radix-tree-keys", stream.nodes());
  Field(reply, "radix-tree-nodes", stream.nodes() + 1);
  Field(reply, "last-generated-id", stream.last_id);
  Field(reply, "max-deleted-entry-id", stream.max_deleted_id);
  Field(reply, "entries-added", static_cast<int64_t>(stream.entries_added));
  Field(reply, "recorded-first-entry-id", stream.FirstId());
}

void ReplyEdge(ReplyWriter& reply, const Stream& stream, StreamCursor::Direction direction) {
  StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax, direction);
  types::StreamEntry entry;
  if (!cursor.Next(entry)) return reply.Null();
  ReplyEntry(reply, entry);
}

void ReplyBrief(ReplyWriter& reply, const Stream& stream) {
  reply.Map(kCommonFields + 3);
  ReplyCommon(reply, stream);
  Field(reply, "groups", stream.groups() == nullptr ? 0 : stream.groups()->size());
  reply.Bulk("first-entry");
  ReplyEdge(reply, stream, StreamCursor::Direction::kForward);
  reply.Bulk("last-entry");
  ReplyEdge(reply, stream, StreamCursor::Direction::kBackward);
}

// Writes an array of the first `limit` (0: all) elements.
template <typename Pending, typename Write>
void ReplyPending(ReplyWriter& reply, const Pending& pending, uint64_t limit, Write&& write) {
  size_t left = limit == 0 || limit > pending.size() ? pending.size() : limit;
  reply.Array(left);
  for (auto at = pending.First(); left > 0; at = pending.Next(at), --left) write(pending.At(at));
}

void ReplyConsumer(Call& call, StreamGroup& group, const StreamConsumer& consumer, uint64_t limit) {
  ReplyWriter& reply = call.reply();
  const bool activity = StreamRulesOf(call).activity == StreamRules::Activity::kShown;
  reply.Map(activity ? 5 : 4);
  reply.Bulk("name");
  reply.Bulk(consumer.name());
  Field(reply, "seen-time", consumer.seen);
  if (activity) Field(reply, "active-time", consumer.active);
  Field(reply, "pel-count", consumer.pending().size());
  reply.Bulk("pending");
  ReplyPending(reply, consumer.pending(), limit, [&](const types::PendingId& item) {
    const types::PendingEntry& entry = *group.FindPending(item.id);
    reply.Array(3);
    ReplyId(reply, entry.id);
    reply.Integer(entry.delivered);
    reply.Integer(static_cast<int64_t>(entry.deliveries));
  });
}

void ReplyGroup(Call& call, const Stream& stream, const std::string& name, StreamGroup& group,
                uint64_t limit) {
  ReplyWriter& reply = call.reply();
  reply.Map(7);
  reply.Bulk("name");
  reply.Bulk(name);
  Field(reply, "last-delivered-id", group.last_id);
  Field(reply, "entries-read", EntriesRead(group));
  Field(reply, "lag", stream.LagOf(group));
  Field(reply, "pel-count", group.pending().size());
  reply.Bulk("pending");
  ReplyPending(reply, group.pending(), limit, [&](const types::PendingEntry& entry) {
    reply.Array(4);
    ReplyId(reply, entry.id);
    reply.Bulk(entry.consumer->name());
    reply.Integer(entry.delivered);
    reply.Integer(static_cast<int64_t>(entry.deliveries));
  });
  reply.Bulk("consumers");
  reply.Array(group.consumers().size());
  for (const auto& [unused, consumer] : group.consumers()) ReplyConsumer(call, group, consumer, limit);
}

void ReplyFull(Call& call, Stream& stream, uint64_t limit) {
  ReplyWriter& reply = call.reply();
  reply.Map(kCommonFields + 2);
  ReplyCommon(reply, stream);
  reply.Bulk("entries");
  StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax);
  ReplyEntries(reply, cursor, limit);
  reply.Bulk("groups");
  if (stream.groups() == nullptr) return reply.Array(0);
  reply.Array(stream.groups()->size());
  for (const auto& [name, group] : *stream.groups())
    ReplyGroup(call, stream, name, *stream.FindGroup(name), limit);
}

void InfoStream(Call& call) {
  constexpr int64_t kLimitDefault = 10;
  Stream* stream = OpenStream(call);
  if (stream == nullptr) return;
  Args args(call, 3);
  const bool full = args.more();
  int64_t limit = kLimitDefault;
  if (full &&
      (!args.Take("FULL") || (args.more() && args.left() != 2) || (args.more() && !args.Take("COUNT")))) {
    return call.reply().Error(fmt::format(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try XINFO HELP.", call.arg(1)));
  }
  if (args.more()) limit = args.Int();
  if (args.failed()) return args.Reply(call);
  if (limit < 0) limit = kLimitDefault;
  if (!full) return ReplyBrief(call.reply(), *stream);
  ReplyFull(call, *stream, static_cast<uint64_t>(limit));
}

void InfoGroups(Call& call) {
  Stream* stream = OpenStream(call);
  if (stream == nullptr) return;
  ReplyWriter& reply = call.reply();
  if (stream->groups() == nullptr) return reply.Array(0);
  reply.Array(stream->groups()->size());
  for (const auto& [name, group] : *stream->groups()) {
    reply.Map(6);
    reply.Bulk("name");
    reply.Bulk(name);
    Field(reply, "consumers", group.consumers().size());
    Field(reply, "pending", group.pending().size());
    Field(reply, "last-delivered-id", group.last_id);
    Field(reply, "entries-read", EntriesRead(group));
    Field(reply, "lag", stream->LagOf(group));
  }
}

void InfoConsumers(Call& call) {
  Stream* stream = OpenStream(call);
  if (stream == nullptr) return;
  ReplyWriter& reply = call.reply();
  const StreamGroup* group = stream->FindGroup(call.arg(3));
  if (group == nullptr) {
    return reply.Error(
        fmt::format("NOGROUP No such consumer group '{}' for key name '{}'", call.arg(3), call.arg(2)));
  }
  const bool activity = StreamRulesOf(call).activity == StreamRules::Activity::kShown;
  reply.Array(group->consumers().size());
  for (const auto& [name, consumer] : group->consumers()) {
    reply.Map(activity ? 4 : 3);
    reply.Bulk("name");
    reply.Bulk(name);
    Field(reply, "pending", consumer.pending().size());
    Field(reply, "idle", std::max<Millis>(call.now() - consumer.seen, 0));
    if (!activity) continue;
    const bool never = consumer.active == StreamConsumer::kNeverActive;
    Field(reply, "inactive", never ? Millis{-1} : std::max<Millis>(call.now() - consumer.active, 0));
  }
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Return the consumers of a group.",
      "GROUPS <key>",
      "    Return the groups of a stream.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Return what is known of a stream; FULL with its entries and groups.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kReads = Flag::kReadOnly;
constexpr dispatch::KeySpec kKey = dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess, 2);

constexpr CommandSpec kTable[] = {
    {
        .name = "xinfo",
        .synopsis = "",
        .summary = "A container for commands that look into streams.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "xinfo|consumers",
        .synopsis = "key groupname",
        .summary = "Returns the consumers of a group.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = 4,
        .flags = kReads,
        .keys = {kKey},
        .tips = "nondeterministic_output",
        .history = "7.2.0: Added the `inactive` field.",
        .run = InfoConsumers,
    },
    {
        .name = "xinfo|groups",
        .synopsis = "key",
        .summary = "Returns the groups of a stream.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kReads,
        .keys = {kKey},
        .history = "7.0.0: Added the `entries-read` and `lag` fields",
        .run = InfoGroups,
    },
    {
        .name = "xinfo|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "xinfo|stream",
        .synopsis = "key full:[FULL [COUNT:integer count]]",
        .summary = "Returns what is known of a stream.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = -3,
        .flags = kReads,
        .keys = {kKey},
        .history =
            "6.0.0: Added the `FULL` modifier.|7.0.0: Added the `max-deleted-entry-id`, `entries-added`, "
            "`recorded-first-entry-id`, `entries-read` and `lag` fields|7.2.0: Added the `active-time` "
            "field.",
        .run = InfoStream,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamInfoCommands{kTable};

}  // namespace cinnabar::commands
