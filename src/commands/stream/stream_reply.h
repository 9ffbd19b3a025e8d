// How entries and ids are answered.
#pragma once

#include "dispatch/call.h"
#include "types/stream.h"

namespace cinnabar::commands {

inline void ReplyId(protocol::ReplyWriter& reply, types::StreamId id) {
  reply.Bulk(types::StreamIdText(id).view());
}

// An entry: its id, and fields and values in one array.
inline void ReplyEntry(protocol::ReplyWriter& reply, const types::StreamEntry& entry) {
  reply.Array(2);
  ReplyId(reply, entry.id);
  reply.Array(static_cast<size_t>(entry.fields) * 2);
  entry.ForEachPair([&](std::string_view field, std::string_view value) {
    reply.Bulk(field);
    reply.Bulk(value);
  });
}

// An array of what the cursor still has, at most `limit` entries (0: all). Calls on_entry(id) for each.
// Returns how many there were. Short arrays are collected first: they need no buffer of their own.
template <typename OnEntry>
uint64_t ReplyEntries(protocol::ReplyWriter& reply, types::StreamCursor& cursor, uint64_t limit,
                      OnEntry&& on_entry) {
  constexpr uint64_t kFew = 32;
  types::StreamEntry few[kFew];
  const uint64_t first = limit == 0 || limit > kFew ? kFew : limit;
  uint64_t count = 0;
  while (count < first && cursor.Next(few[count])) ++count;
  const bool perhaps_more = count == kFew && limit != kFew;
  if (perhaps_more) {
    reply.Begin(protocol::ReplyWriter::Aggregate::kArray);
  } else {
    reply.Array(count);
  }
  for (uint64_t i = 0; i < count; ++i) {
    on_entry(few[i].id);
    ReplyEntry(reply, few[i]);
  }
  if (!perhaps_more) return count;
  types::StreamEntry entry;
  while ((limit == 0 || count < limit) && cursor.Next(entry)) {
    on_entry(entry.id);
    ReplyEntry(reply, entry);
    ++count;
  }
  reply.End(count);
  return count;
}

inline uint64_t ReplyEntries(protocol::ReplyWriter& reply, types::StreamCursor& cursor, uint64_t limit) {
  return ReplyEntries(reply, cursor, limit, [](types::StreamId) {});
}

}  // namespace cinnabar::commands
