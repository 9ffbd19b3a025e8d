// XACK and XPENDING.
#include <algorithm>
#include <limits>
#include <optional>

#include "base/numbers.h"
#include "commands/stream/group_access.h"
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_reply.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using protocol::ReplyWriter;
using types::PendingEntry;
using types::Stream;
using types::StreamConsumer;
using types::StreamGroup;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void XAck(Call& call) {
  Stream* stream;
  if (!OpenStreamToWrite(call, call.key(1), stream)) return;
  StreamGroup* group = stream == nullptr ? nullptr : stream->FindGroup(call.arg(2));
  if (group == nullptr) return call.reply().Integer(0);
  const auto ids = AllStreamIds(call, 3);
  if (!ids) return;
  uint64_t acknowledged = 0;
  for (StreamId id : *ids) acknowledged += group->RemovePending(id) ? 1 : 0;
  call.MarkDirty(acknowledged);
  call.reply().Integer(static_cast<int64_t>(acknowledged));
}

struct PendingRange {
  Millis idle_least = 0;
  StreamId from;
  StreamId to;
  uint64_t limit = 0;
  std::optional<std::string_view> consumer;
};

PendingRange ParseRange(Args& args) {
  PendingRange range;
  if (args.Take("IDLE")) {
    if (args.left() < 4) args.FailSyntax();
    range.idle_least = args.Int();
  }
  if (args.failed()) return range;
  // Redis reads the count before the ids.
  Args count(args);
  count.Skip(2);
  const int64_t limit = count.Int();
  if (count.failed()) {
    args.Fail(count.error());
    return range;
  }
  range.limit = static_cast<uint64_t>(std::max<int64_t>(limit, 0));
  range.from = TakeRangeStart(args);
  range.to = TakeRangeEnd(args);
  args.Skip(1);
  if (args.more()) range.consumer = args.Next();
  return range;
}

void ReplySummary(ReplyWriter& reply, const StreamGroup& group) {
  const auto& pending = group.pending();
  reply.Array(4);
  reply.Integer(static_cast<int64_t>(pending.size()));
  if (pending.empty()) {
    reply.Null();
    reply.Null();
    reply.NullArray();
    return;
  }
  ReplyId(reply, pending.front().id);
  ReplyId(reply, pending.back().id);
  reply.Begin(ReplyWriter::Aggregate::kArray);
  size_t count = 0;
  for (const auto& [name, consumer] : group.consumers()) {
    if (consumer.pending().empty()) continue;
    reply.Array(2);
    reply.Bulk(name);
    reply.BulkInteger(static_cast<int64_t>(consumer.pending().size()));
    ++count;
  }
  reply.End(count);
}

bool ReplyIfIdle(ReplyWriter& reply, const PendingEntry& entry, const PendingRange& range, Millis now) {
  const Millis idle = now - entry.delivered;
  if (range.idle_least > 0 && idle < range.idle_least) return false;
  reply.Array(4);
  ReplyId(reply, entry.id);
  reply.Bulk(entry.consumer->name());
  reply.Integer(std::max<Millis>(idle, 0));
  reply.Integer(static_cast<int64_t>(entry.deliveries));
  return true;
}

// `pending` is the group's list or that of a consumer.
template <typename Pending>
void ReplyRange(Call& call, StreamGroup& group, const Pending& pending, const PendingRange& range) {
  ReplyWriter& reply = call.reply();
  reply.Begin(ReplyWriter::Aggregate::kArray);
  uint64_t count = 0;
  for (auto at = pending.Lower(range.from); at != pending.End() && count < range.limit;
       at = pending.Next(at)) {
    const StreamId id = pending.At(at).id;
    if (id > range.to) break;
    if (ReplyIfIdle(reply, *group.FindPending(id), range, call.now())) ++count;
  }
  reply.End(count);
}

void XPending(Call& call) {
  const bool summary = call.argc() == 3;
  Args args(call, 3);
  PendingRange range;
  if (call.argc() > 9 || (!summary && call.argc() < 6)) args.FailSyntax();
  if (!summary && !args.failed()) range = ParseRange(args);
  if (args.failed()) return args.Reply(call);
  NamedGroup named;
  if (!OpenGroup(call, GroupUse::kRead, named)) return;
  if (summary) return ReplySummary(call.reply(), *named.group);
  if (!range.consumer) return ReplyRange(call, *named.group, named.group->pending(), range);
  const StreamConsumer* consumer = named.group->FindConsumer(*range.consumer);
  if (consumer == nullptr) return call.reply().Array(0);
  ReplyRange(call, *named.group, consumer->pending(), range);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xack",
        .synopsis = "key group id...",
        .summary = "Says that a group has dealt with entries: they are no longer pending.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(log(N)) for each id, with N pending entries.",
        .arity = -4,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = XAck,
    },
    {
        .name = "xpending",
        .synopsis =
            "key group filters:[[IDLE:integer min-idle-time]@6.2.0 start end count:integer [consumer]]",
        .summary = "Returns what a group was handed out and has not acknowledged.",
        .since = "5.0.0",
        .group = "stream",
        .complexity =
            "O(N) for N entries returned, or looked at with IDLE; for the summary O(N) for N consumers.",
        .arity = -3,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .tips = "nondeterministic_output",
        .history = "6.2.0: Added the `IDLE` option and exclusive range intervals.",
        .run = XPending,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamPendingCommands{kTable};

}  // namespace cinnabar::commands
