#include "commands/stream/stream_digest.h"

#include "base/numbers.h"

namespace cinnabar::commands {
namespace {

using types::StreamIdText;

void AppendGroup(Digest& digest, const std::string& name, const types::StreamGroup& group) {
  digest.Append(name);
  digest.Append(StreamIdText(group.last_id).view());
  for (const auto& [consumer_name, consumer] : group.consumers()) digest.Append(consumer_name);
  group.pending().ForEach([&](const types::PendingEntry& entry) {
    digest.Append(StreamIdText(entry.id).view());
    digest.Append(entry.consumer->name());
  });
}

}  // namespace

void AppendStream(Digest& digest, const types::Stream& stream) {
  types::StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax);
  types::StreamEntry entry;
  while (cursor.Next(entry)) {
    digest.Append(StreamIdText(entry.id).view());
    entry.ForEachPair([&](std::string_view field, std::string_view value) {
      digest.Append(field);
      digest.Append(value);
    });
  }
  digest.Append(StreamIdText(stream.last_id).view());
  digest.Append(StreamIdText(stream.max_deleted_id).view());
  digest.Append(Int64ToString(static_cast<int64_t>(stream.entries_added)));
  if (stream.groups() == nullptr) return;
  for (const auto& [name, group] : *stream.groups()) AppendGroup(digest, name, group);
}

}  // namespace cinnabar::commands
