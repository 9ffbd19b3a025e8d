#include "commands/stream/read_waiting.h"

#include "catalog/errors.h"
#include "commands/stream/stream_reply.h"

namespace cinnabar::commands {

using dispatch::Call;
using keyspace::Key;
using types::Stream;
using types::StreamId;

bool HasEntriesAfter(const Stream& stream, StreamId after) {
  return stream.last_id > after && !stream.empty() && stream.LastId() > after;
}

void ReplyEntriesAfter(protocol::ReplyWriter& reply, const Stream& stream, StreamId after, uint64_t limit) {
  types::StreamCursor cursor(stream, after.Next(), types::kStreamIdMax);
  ReplyEntries(reply, cursor, limit);
}

StreamsReply::StreamsReply(protocol::ReplyWriter& reply, size_t streams, Size size)
    : reply_(reply), open_(size == Size::kAtMost) {
  using Aggregate = protocol::ReplyWriter::Aggregate;
  const bool map = reply.version() == protocol::Resp::k3;
  if (open_) {
    reply.Begin(map ? Aggregate::kMap : Aggregate::kArray);
  } else if (map) {
    reply.Map(streams);
  } else {
    reply.Array(streams);
  }
}

void StreamsReply::Name(protocol::ReplyWriter& reply, std::string_view name) {
  if (reply.version() != protocol::Resp::k3) reply.Array(2);
  reply.Bulk(name);
}

void StreamsReply::End(size_t count) {
  if (open_) reply_.End(count);
}

void ReadWaiting::ForGroup(std::string_view group, std::string_view consumer, GroupRead::Pending pending) {
  for_group_ = true;
  group_ = group;
  consumer_ = consumer;
  pending_ = pending;
}

bool ReadWaiting::Serve(Call& call, const Key& key) {
  keyspace::EntryRef entry = call.db().FindToChange(key);
  Stream* stream = nullptr;
  if (entry && entry->type() == types::Type::kStream) stream = static_cast<Stream*>(entry->object());
  if (for_group_) return ServeGroup(call, key, stream, entry);
  const StreamId after = after_.find(key.bytes)->second;
  if (stream == nullptr || !HasEntriesAfter(*stream, after)) return false;
  StreamsReply reply(call.reply(), 1);
  StreamsReply::Name(call.reply(), key.bytes);
  ReplyEntriesAfter(call.reply(), *stream, after, limit_);
  return true;
}

bool ReadWaiting::ServeGroup(Call& call, const Key& key, Stream* stream, const keyspace::EntryRef& entry) {
  types::StreamGroup* group = stream == nullptr ? nullptr : stream->FindGroup(group_);
  if (group == nullptr) {
    call.reply().Error(GoneError(call, key, entry));
    return true;
  }
  if (!HasNew(*stream, *group)) return false;
  StreamsReply reply(call.reply(), 1);
  StreamsReply::Name(call.reply(), key.bytes);
  DeliverNew(call, {key, group_, stream, group}, {consumer_, limit_, pending_});
  return true;
}

std::string ReadWaiting::GoneError(Call& call, const Key& key, const keyspace::EntryRef& entry) const {
  const bool stream_is_there = entry && entry->type() == types::Type::kStream;
  if (StreamRulesOf(call).gone == catalog::StreamRules::Gone::kOwnText) {
    return stream_is_there ? "NOGROUP the consumer group this client was blocked on no longer exists"
                           : "UNBLOCKED the stream key no longer exists";
  }
  if (entry && !stream_is_there) return std::string(errors::kWrongType);
  return NoGroupError(key.bytes, group_, " in XREADGROUP with GROUP option");
}

}  // namespace cinnabar::commands
