// Arbitrary bytes taken for a node of a stream: what Valid accepts can be read both ways, changed and trimmed
// without leaving the bytes.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "types/stream.h"

using cinnabar::types::Stream;
using cinnabar::types::StreamCursor;
using cinnabar::types::StreamEntry;
using cinnabar::types::StreamId;

namespace {

uint64_t Walk(const Stream& stream, StreamCursor::Direction direction) {
  StreamCursor cursor(stream, cinnabar::types::kStreamIdMin, cinnabar::types::kStreamIdMax, direction);
  StreamEntry entry;
  uint64_t count = 0;
  size_t bytes = 0;
  while (cursor.Next(entry)) {
    ++count;
    entry.ForEachPair(
        [&](std::string_view field, std::string_view value) { bytes += field.size() + value.size(); });
  }
  CHECK(count == stream.length());
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < sizeof(StreamId)) return 0;
  StreamId id;
  std::memcpy(&id, data, sizeof id);
  std::string bytes(reinterpret_cast<const char*>(data) + sizeof id, size - sizeof id);
  // Most inputs are to get past the header.
  if (bytes.size() >= 7 && bytes.size() < 65536) {
    const auto length = static_cast<uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &length, sizeof length);
    bytes[4] = bytes[5] = static_cast<char>(0xff);
    bytes.back() = static_cast<char>(0xff);
  }
  const auto contents = cinnabar::types::stream_node::Valid(id, bytes);
  if (!contents || contents->counts.live == 0) return 0;
  Stream stream;
  if (contents->ordered) {
    stream.AppendNode(id, bytes);
  } else {
    cinnabar::types::StreamNode all = cinnabar::types::stream_node::FromBytes(id, bytes);
    cinnabar::types::StreamNode live = cinnabar::types::stream_node::WithoutDeleted(all);
    stream.AppendNode(live.id, live.view());
    cinnabar::types::stream_node::Destroy(all);
    cinnabar::types::stream_node::Destroy(live);
  }
  CHECK(stream.FirstId() == contents->first_live && stream.LastId() == contents->last_live);
  const uint64_t count = Walk(stream, StreamCursor::Direction::kForward);
  CHECK(Walk(stream, StreamCursor::Direction::kBackward) == count);
  stream.last_id = stream.LastId();
  if (stream.last_id != cinnabar::types::kStreamIdMax) {
    const std::string_view pairs[] = {"field", "1"};
    stream.Append(stream.last_id.Next(), pairs, {.bytes = 0, .entries = 0});
    Walk(stream, StreamCursor::Direction::kForward);
  }
  CHECK(stream.Erase(stream.FirstId()));
  stream.Trim({.max_length = stream.length() / 2});
  while (!stream.empty()) {
    Walk(stream, StreamCursor::Direction::kBackward);
    CHECK(stream.Erase(stream.LastId()));
  }
  return 0;
}
