#include "commands/stream/group_access.h"

#include <fmt/format.h>

#include "base/numbers.h"
#include "commands/stream/stream_reply.h"
#include "dispatch/output_limits.h"
#include "journal/journal.h"

namespace cinnabar::commands {

using config::kNotifyStream;
using dispatch::Call;
using types::PendingEntry;
using types::Stream;
using types::StreamConsumer;
using types::StreamCursor;
using types::StreamGroup;
using types::StreamId;
using types::StreamIdText;

std::string NoGroupError(std::string_view key, std::string_view group, std::string_view suffix) {
  return fmt::format("NOGROUP No such key '{}' or consumer group '{}'{}", key, group, suffix);
}

bool OpenGroup(Call& call, GroupUse use, NamedGroup& group) {
  group.key = call.key(1);
  group.name = call.arg(2);
  const bool opened = use == GroupUse::kRead ? OpenStreamToRead(call, group.key, group.stream)
                                             : OpenStreamToWrite(call, group.key, group.stream);
  if (!opened) return false;
  if (group.stream != nullptr) group.group = group.stream->FindGroup(group.name);
  if (group.group != nullptr) return true;
  call.reply().Error(NoGroupError(group.key.bytes, group.name));
  return false;
}

StreamConsumer& SeeConsumer(Call& call, const NamedGroup& group, std::string_view name) {
  StreamConsumer* consumer = group.group->FindConsumer(name);
  if (consumer != nullptr) {
    consumer->seen = call.now();
    return *consumer;
  }
  call.MarkDirty(1);
  call.Notify(kNotifyStream, "xgroup-createconsumer", group.key.bytes);
  call.Propagate({"XGROUP", "CREATECONSUMER", group.key.bytes, group.name, name});
  return group.group->AddConsumer(name, call.now());
}

void PropagateClaim(Call& call, const NamedGroup& group, const PendingEntry& entry) {
  if (!call.services().journal.active()) return call.PropagateNothing();
  call.Propagate({"XCLAIM", group.key.bytes, group.name, entry.consumer->name(), "0", StreamIdText(entry.id),
                  "TIME", Int64ToString(entry.delivered), "RETRYCOUNT",
                  Int64ToString(static_cast<int64_t>(entry.deliveries)), "FORCE", "JUSTID", "LASTID",
                  StreamIdText(group.group->last_id)});
}

void PropagatePosition(Call& call, const NamedGroup& group) {
  if (!call.services().journal.active()) return call.PropagateNothing();
  call.Propagate({"XGROUP", "SETID", group.key.bytes, group.name, StreamIdText(group.group->last_id),
                  "ENTRIESREAD", Int64ToString(group.group->entries_read)});
}

bool HasNew(const Stream& stream, const StreamGroup& group) {
  return stream.last_id > group.last_id && !stream.empty() && stream.LastId() > group.last_id;
}

namespace {

// Moves the group's position to an entry that is being handed out.
void Advance(const Stream& stream, StreamGroup& group, StreamId id) {
  if (group.entries_read != StreamGroup::kReadUnknown && !stream.MayHaveGapAfter(id)) {
    ++group.entries_read;
  } else if (stream.entries_added > 0) {
    group.entries_read = stream.CountUpTo(id);
  }
  group.last_id = id;
}

}  // namespace

void DeliverNew(Call& call, const NamedGroup& named, const GroupRead& read) {
  call.PropagateNothing();
  StreamConsumer& consumer = SeeConsumer(call, named, read.consumer);
  StreamGroup& group = *named.group;
  StreamCursor cursor(*named.stream, group.last_id.Next(), types::kStreamIdMax);
  const uint64_t delivered = ReplyEntries(call.reply(), cursor, read.limit, [&](StreamId id) {
    Advance(*named.stream, group, id);
    if (read.pending == GroupRead::Pending::kNone) return;
    group.Deliver(id, consumer, call.now());
    PropagateClaim(call, named, *group.FindPending(id));
  });
  if (delivered == 0) return;
  consumer.active = call.now();
  call.MarkDirty(delivered);
  PropagatePosition(call, named);
}

namespace {

// An entry that was deleted from the stream, and is still pending.
void ReplyGone(protocol::ReplyWriter& reply, StreamId id) {
  reply.Array(2);
  ReplyId(reply, id);
  reply.NullArray();
}

}  // namespace

void DeliverPending(Call& call, const NamedGroup& named, const GroupRead& read, StreamId after) {
  call.PropagateNothing();
  StreamConsumer& consumer = SeeConsumer(call, named, read.consumer);
  protocol::ReplyWriter& reply = call.reply();
  const auto& pending = consumer.pending();
  reply.Begin(protocol::ReplyWriter::Aggregate::kArray);
  uint64_t count = 0;
  auto at = after == types::kStreamIdMax ? pending.End() : pending.Lower(after.Next());
  for (; at != pending.End() && (read.limit == 0 || count < read.limit); at = pending.Next(at), ++count) {
    const StreamId id = pending.At(at).id;
    StreamCursor cursor(*named.stream, id, id);
    types::StreamEntry entry;
    const bool shown = dispatch::TakesReply(call);
    if (!cursor.Next(entry)) {
      if (shown) ReplyGone(reply, id);
      continue;
    }
    if (shown) ReplyEntry(reply, entry);
    PendingEntry& again = *named.group->FindPending(id);
    again.delivered = call.now();
    ++again.deliveries;
  }
  reply.End(count);
}

}  // namespace cinnabar::commands
