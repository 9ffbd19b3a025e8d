// How a string entry is read and answered, wherever it keeps its bytes.
#pragma once

#include <string_view>

#include "keyspace/database.h"
#include "keyspace/string_value.h"
#include "protocol/reply_writer.h"

namespace cinnabar::commands {

// Strings from this size on are linked into the reply instead of copied.
inline constexpr size_t kLinkedReplyBytes = 16 * 1024;

// REQUIRES: the entry is a string.
inline void ReplyString(protocol::ReplyWriter& reply, const keyspace::Entry& entry) {
  switch (entry.place()) {
    case keyspace::Place::kInline:
      return reply.Bulk(entry.inline_bytes());
    case keyspace::Place::kInteger:
      return reply.BulkInteger(entry.integer());
    default:
      break;
  }
  if (entry.block()->size < kLinkedReplyBytes)
    return reply.Bulk(std::string_view(entry.block()->data, entry.block()->size));
  reply.Bulk(SharedBytes::Share(entry.block()));
}

// Null for no entry. REQUIRES: the entry, if there is one, is a string.
inline void ReplyStringOrNull(protocol::ReplyWriter& reply, const keyspace::EntryRef& entry) {
  if (!entry) return reply.Null();
  ReplyString(reply, *entry);
}

}  // namespace cinnabar::commands
