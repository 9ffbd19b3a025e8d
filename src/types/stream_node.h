// StreamNode: up to some hundred neighbouring entries of a stream in one listpack, in the layout of Redis
// (https://antirez.com/news/128), so that RDB payloads hold the very same bytes.
//
//   master   : live, deleted, F, field 1 ... field F, 0
//   an entry : flags, id - node's id (millis, sequence), [N, field 1,] value 1 ... [field N,] value N, back
//
// The master names the fields of the entry that began the node. An entry with the same fields in the same
// order (flag kSameFields) does not repeat them. A deleted entry keeps its place and has the flag kDeleted.
// `back` is the number of elements of the entry before it, for walking backwards.
//
// A node is plain memory: its owner frees it with Destroy. Functions that take bytes trust them; what came
// from outside is passed to Valid first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "structures/listpack.h"
#include "types/stream_id.h"

namespace cinnabar::types {

struct StreamNode {
  StreamId id;  // that the ids inside are relative to; not greater than the first
  char* bytes = nullptr;
  uint32_t size = 0;
  uint32_t capacity = 0;

  StreamId key() const { return id; }
  std::string_view view() const { return {bytes, size}; }
};

// An entry as it lies in a node. Valid until the next change of the stream.
struct StreamEntry {
  StreamId id;
  std::string_view pack;
  size_t begin = 0;         // position of the flags
  size_t first = 0;         // position of the first value, or of the first field where they alternate
  size_t after = 0;         // position of the next entry, or listpack::kEnd
  size_t master_field = 0;  // position of the first field of the master when the entry shares them, else 0
  int64_t fields = 0;
  bool deleted = false;

  // Calls visit(field, value) for every pair; the texts live until it returns.
  template <typename Visit>
  void ForEachPair(Visit&& visit) const {
    size_t value = first;
    size_t field = master_field;
    listpack::Digits field_digits;
    listpack::Digits value_digits;
    for (int64_t i = 0; i < fields; ++i) {
      if (master_field == 0) {
        field = value;
        value = listpack::Next(pack, value);
      }
      visit(listpack::Get(pack, field).Text(field_digits), listpack::Get(pack, value).Text(value_digits));
      value = listpack::Next(pack, value);
      if (master_field != 0) field = listpack::Next(pack, field);
    }
  }
};

namespace stream_node {

enum EntryFlag : int64_t { kDeleted = 1, kSameFields = 2 };

// How far a node may grow (the `stream-node-max-*` settings); 0: no limit.
struct Limits {
  int64_t bytes = 4096;
  int64_t entries = 100;
};

// An entry with its fields and values is never larger than this.
inline constexpr size_t kEntryBytesMax = size_t{1} << 30;
inline bool Fits(std::span<const std::string_view> pairs) {
  size_t bytes = 0;
  for (std::string_view text : pairs) bytes += text.size();
  return bytes <= kEntryBytesMax;
}

struct Counts {
  int64_t live = 0;
  int64_t deleted = 0;
};

// A node with one entry; `pairs` are field, value, field, value ...
StreamNode Create(StreamId id, std::span<const std::string_view> pairs);
// A node of bytes that Valid has accepted.
StreamNode FromBytes(StreamId id, std::string_view bytes);
StreamNode Clone(const StreamNode& node);
void Destroy(StreamNode& node);

// Whether a further entry of so many bytes belongs into this node.
bool HasRoom(const StreamNode& node, size_t bytes, const Limits& limits);
// REQUIRES: `id` is greater than all in the node.
void Append(StreamNode& node, StreamId id, std::span<const std::string_view> pairs, const Limits& limits);
// Gives back what the node holds for growth.
void Close(StreamNode& node);

Counts CountsOf(std::string_view pack);

// What the master says, and where the entries begin.
struct Master {
  int64_t fields = 0;
  size_t first_field = 0;
  size_t entries = 0;
};

// Walks over the entries of a node, deleted ones included. Dies with the next change of the node.
class Reader {
 public:
  Reader() = default;
  explicit Reader(const StreamNode& node);

  // Every node has at least one entry.
  StreamEntry First() const { return EntryAt(master_.entries); }
  StreamEntry Last() const { return EntryEndingAt(listpack::Last(pack_)); }
  // Makes `entry` its neighbour; false when it has none.
  bool Next(StreamEntry& entry) const {
    if (entry.after == listpack::kEnd) return false;
    entry = EntryAt(entry.after);
    return true;
  }
  bool Previous(StreamEntry& entry) const {
    if (entry.begin == master_.entries) return false;
    entry = EntryEndingAt(listpack::Previous(pack_, entry.begin));
    return true;
  }
  // The entry whose flags are at this position.
  StreamEntry EntryAt(size_t begin) const;

 private:
  // The entry whose `back` is at this position.
  StreamEntry EntryEndingAt(size_t back) const;

  std::string_view pack_;
  StreamId base_;
  Master master_;
};

// Marks a live entry as deleted. Entries behind it may move.
void MarkDeleted(StreamNode& node, const StreamEntry& entry);

// The node again, without its deleted entries. The id becomes that of the first live one. REQUIRES: there is
// one.
StreamNode WithoutDeleted(const StreamNode& node);

// What Valid finds in a node.
struct Contents {
  Counts counts;
  // Of live entries. Redis lets XSETID go back behind deleted entries at the end of a stream: what is added
  // next has a smaller id than those, or the same one.
  StreamId first_live, last_live;
  bool ordered = true;  // the ids grow even where entries are deleted
};

// Whether these bytes from outside are a node: a listpack that holds exactly what its master says, live
// entries whose ids grow. A node without live entries is one, too, but no stream may have it: Redis leaves
// them behind when it trims.
std::optional<Contents> Valid(StreamId id, std::string_view bytes);

}  // namespace stream_node
}  // namespace cinnabar::types
