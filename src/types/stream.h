// Stream: a log of entries with growing ids, and the groups that read it.
//
//   nodes_ (ordered by id):  [node][node][node]   tail_: [node]     entries are appended here
//
// The last node is kept in the object itself: a stream of one node has no index, and appending never looks
// for anything. Finding an id takes a binary search over the nodes and a walk through one of them. Trimming
// frees whole nodes. A stream may be empty: what it remembers of ids and groups outlives its entries.
//
// The counters mean what XINFO STREAM says of them:
// https://redis.io/docs/latest/commands/xinfo-stream/
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "structures/ordered_chunks.h"
#include "types/stream_group.h"
#include "types/stream_node.h"
#include "types/value.h"

namespace cinnabar::types {

// What XTRIM removes: entries from the front while there are more than `max_length`, or while they are older
// than `min_id`.
struct StreamTrim {
  enum class By : uint8_t { kLength, kId } by = By::kLength;
  // kNodes removes whole nodes only, and no more than `limit` entries (0: any number).
  enum class Precision : uint8_t { kExact, kNodes } precision = Precision::kExact;
  uint64_t max_length = 0;
  StreamId min_id;
  int64_t limit = 0;
};

class Stream final : public Value {
 public:
  using Groups = std::map<std::string, StreamGroup, std::less<>>;

  Stream() = default;
  Stream(const Stream& other);
  Stream& operator=(const Stream&) = delete;
  ~Stream() override;

  Type type() const override { return Type::kStream; }
  std::string_view encoding() const override { return "stream"; }
  size_t memory(size_t samples) const override;
  size_t free_effort() const override;
  std::unique_ptr<Value> Clone() const override;
  bool RelocateSome(Relocation& relocation, RelocationCursor& cursor) override;

  uint64_t length() const { return length_; }
  bool empty() const { return length_ == 0; }
  size_t nodes() const { return nodes_.size() + (has_tail() ? 1 : 0); }
  // Ids of the entries that there are; 0-0 when there are none. Walks through one node.
  StreamId FirstId() const;
  StreamId LastId() const;

  StreamId last_id;         // the greatest that ever was added, or was set
  StreamId max_deleted_id;  // the greatest that Erase was asked to remove
  uint64_t entries_added = 0;

  // `pairs` are field, value, field, value ... REQUIRES: id > last_id.
  void Append(StreamId id, std::span<const std::string_view> pairs, const stream_node::Limits& limits);
  // Lets ids begin anew behind the last entry that there is: takes away what deleted entries behind it keep.
  void ForgetDeletedAtEnd();
  // Appends a node as a file holds it. REQUIRES: stream_node::Valid(id, bytes), with live entries and in
  // order, and its ids are greater than all here. Changes none of the counters but the length.
  void AppendNode(StreamId id, std::string_view bytes);
  // False when there is no such entry.
  bool Erase(StreamId id);
  // Returns how many entries were removed.
  uint64_t Trim(const StreamTrim& trim);
  bool Contains(StreamId id) const;

  template <typename Visit>
  void ForEachNode(Visit&& visit) const {
    nodes_.ForEach(visit);
    if (has_tail()) visit(tail_);
  }

  // Which number in the order of all that was ever added an id has: how many entries had been added when it
  // was the last. StreamGroup::kReadUnknown when deletions have made that unknowable.
  int64_t CountUpTo(StreamId id) const;
  // Whether an entry above `id` may have been deleted.
  bool MayHaveGapAfter(StreamId id) const;
  // How many entries the group has not read, never less than 0; nothing when that is unknowable.
  std::optional<int64_t> LagOf(const StreamGroup& group) const;

  // Null while there never was a group.
  const Groups* groups() const { return groups_.get(); }
  StreamGroup* FindGroup(std::string_view name);
  // Null when there is one of that name already.
  StreamGroup* AddGroup(std::string_view name, StreamId last_id, int64_t entries_read);
  // False when there is none.
  bool RemoveGroup(std::string_view name);

 private:
  friend class StreamCursor;
  using Nodes = OrderedChunks<StreamNode>;

  bool has_tail() const { return tail_.bytes != nullptr; }
  const StreamNode& FrontNode() const { return nodes_.empty() ? tail_ : nodes_.front(); }
  // The node in which an entry of this id would be: the last that does not begin after it; null if none.
  const StreamNode* NodeOf(StreamId id) const;
  bool FindEntry(StreamId id, StreamNode*& node, StreamEntry& entry) const;
  void RemoveNode(const StreamNode* node);
  uint64_t TrimNode(const StreamTrim& trim);

  uint64_t length_ = 0;
  StreamNode tail_;
  Nodes nodes_;  // all but the tail
  std::unique_ptr<Groups> groups_;
};

// Walks over the live entries with from <= id <= to, in either direction. Dies with the next change of the
// stream.
class StreamCursor {
 public:
  enum class Direction : uint8_t { kForward, kBackward };

  StreamCursor(const Stream& stream, StreamId from, StreamId to, Direction direction = Direction::kForward);

  // False at the end.
  bool Next(StreamEntry& entry);

 private:
  bool Start();
  bool Step();
  void OpenNode();

  const Stream& stream_;
  StreamId from_;
  StreamId to_;
  Direction direction_;
  Stream::Nodes::Position node_;  // End(): the tail
  stream_node::Reader reader_;
  StreamEntry entry_;
  enum class State : uint8_t { kBefore, kInside, kDone } state_ = State::kBefore;
};

}  // namespace cinnabar::types
