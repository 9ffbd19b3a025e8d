#include "types/stream.h"

#include <utility>

namespace cinnabar::types {

using stream_node::Reader;

Stream::Stream(const Stream& other)
    : last_id(other.last_id),
      max_deleted_id(other.max_deleted_id),
      entries_added(other.entries_added),
      length_(other.length_) {
  other.nodes_.ForEach([this](const StreamNode& node) { nodes_.Insert(stream_node::Clone(node)); });
  if (other.has_tail()) tail_ = stream_node::Clone(other.tail_);
  if (other.groups_ != nullptr) groups_ = std::make_unique<Groups>(*other.groups_);
}

Stream::~Stream() {
  nodes_.ForEach([](StreamNode node) { stream_node::Destroy(node); });
  stream_node::Destroy(tail_);
}

std::unique_ptr<Value> Stream::Clone() const {
  return std::make_unique<Stream>(*this);
}

bool Stream::RelocateSome(Relocation& relocation, RelocationCursor& cursor) {
  const uint64_t enough = relocation.offers() + Relocation::kOffersPerStep;
  if (cursor.part == 0) {
    if (nodes_.RelocateSome(relocation, enough, cursor.at,
                            [&](StreamNode& node) { relocation.Follow(node.bytes); })) {
      return true;
    }
    relocation.Follow(tail_.bytes);
    cursor = {.part = 1};
  }
  if (groups_ == nullptr) return false;
  uint64_t first = 1;  // part of the group
  for (auto& [name, group] : *groups_) {
    const uint64_t parts = 1 + group.consumers().size();
    if (cursor.part < first + parts) {
      RelocationCursor inside{.part = cursor.part - first, .at = cursor.at};
      const bool more = group.RelocateSome(relocation, enough, inside);
      cursor = {.part = first + inside.part, .at = inside.at};
      if (more) return true;
    }
    first += parts;
  }
  return false;
}

size_t Stream::memory(size_t samples) const {
  size_t counted = 0;
  size_t bytes = 0;
  for (auto at = nodes_.First(); at != nodes_.End(); at = nodes_.Next(at)) {
    if (samples > 0 && counted == samples) break;
    bytes += nodes_.At(at).capacity;
    ++counted;
  }
  if (counted > 0) bytes = bytes / counted * nodes_.size();
  bytes += sizeof *this + nodes_.memory() + tail_.capacity;
  if (groups_ == nullptr) return bytes;
  bytes += sizeof(Groups);
  for (const auto& [name, group] : *groups_) bytes += name.capacity() + group.memory();
  return bytes;
}

size_t Stream::free_effort() const {
  size_t effort = 1 + nodes() + nodes_.allocations();
  if (groups_ == nullptr) return effort;
  for (const auto& [name, group] : *groups_) effort += group.allocations();
  return effort;
}

StreamId Stream::FirstId() const {
  StreamEntry entry;
  StreamCursor cursor(*this, kStreamIdMin, kStreamIdMax);
  return cursor.Next(entry) ? entry.id : StreamId{};
}

StreamId Stream::LastId() const {
  StreamEntry entry;
  StreamCursor cursor(*this, kStreamIdMin, kStreamIdMax, StreamCursor::Direction::kBackward);
  return cursor.Next(entry) ? entry.id : StreamId{};
}

void Stream::Append(StreamId id, std::span<const std::string_view> pairs, const stream_node::Limits& limits) {
  size_t bytes = 0;
  for (std::string_view text : pairs) bytes += text.size();
  if (has_tail() && stream_node::HasRoom(tail_, bytes, limits)) {
    stream_node::Append(tail_, id, pairs, limits);
  } else {
    StreamNode fresh = stream_node::Create(id, pairs);
    if (has_tail()) {
      stream_node::Close(tail_);
      nodes_.Insert(tail_);
    }
    tail_ = fresh;
  }
  last_id = id;
  ++length_;
  ++entries_added;
}

void Stream::AppendNode(StreamId id, std::string_view bytes) {
  if (has_tail()) nodes_.Insert(tail_);
  tail_ = stream_node::FromBytes(id, bytes);
  length_ += static_cast<uint64_t>(stream_node::CountsOf(bytes).live);
}

void Stream::ForgetDeletedAtEnd() {
  if (!has_tail() || !Reader(tail_).Last().deleted) return;
  const StreamNode kept = stream_node::WithoutDeleted(tail_);
  stream_node::Destroy(tail_);
  tail_ = kept;
}

const StreamNode* Stream::NodeOf(StreamId id) const {
  if (!has_tail()) return nullptr;
  if (tail_.id <= id) return &tail_;
  auto at = nodes_.Lower(id);
  if (at != nodes_.End() && nodes_.At(at).id == id) return &nodes_.At(at);
  return at == nodes_.First() ? nullptr : &nodes_.At(nodes_.Previous(at));
}

bool Stream::FindEntry(StreamId id, StreamNode*& node, StreamEntry& entry) const {
  node = const_cast<StreamNode*>(NodeOf(id));
  if (node == nullptr) return false;
  const Reader reader(*node);
  entry = reader.First();
  while (entry.id < id) {
    if (!reader.Next(entry)) return false;
  }
  return entry.id == id && !entry.deleted;
}

bool Stream::Contains(StreamId id) const {
  StreamNode* node;
  StreamEntry entry;
  return FindEntry(id, node, entry);
}

bool Stream::Erase(StreamId id) {
  StreamNode* node;
  StreamEntry entry;
  if (!FindEntry(id, node, entry)) return false;
  if (stream_node::CountsOf(node->view()).live == 1) {
    RemoveNode(node);
  } else {
    stream_node::MarkDeleted(*node, entry);
  }
  --length_;
  if (max_deleted_id < id) max_deleted_id = id;
  return true;
}

void Stream::RemoveNode(const StreamNode* node) {
  if (node != &tail_) {
    StreamNode gone = *node;
    stream_node::Destroy(gone);
    nodes_.EraseKey(gone.id);
    return;
  }
  stream_node::Destroy(tail_);
  tail_ = StreamNode();
  if (nodes_.empty()) return;
  tail_ = nodes_.back();
  nodes_.Erase(nodes_.Previous(nodes_.End()));
}

namespace {

// Whether nothing of a node is left when ids below `least` go.
bool EndsBefore(const StreamNode& node, StreamId least, StreamTrim::Precision precision) {
  const Reader reader(node);
  StreamEntry last = reader.Last();
  if (precision == StreamTrim::Precision::kNodes) return last.id < least;
  while (last.deleted) CHECK(reader.Previous(last));
  return last.id < least;
}

}  // namespace

uint64_t Stream::Trim(const StreamTrim& trim) {
  uint64_t removed = 0;
  while (has_tail()) {
    if (trim.by == StreamTrim::By::kLength && length_ <= trim.max_length) break;
    const StreamNode& node = FrontNode();
    const auto live = static_cast<uint64_t>(stream_node::CountsOf(node.view()).live);
    if (trim.limit > 0 && removed + live > static_cast<uint64_t>(trim.limit)) break;
    const bool all = trim.by == StreamTrim::By::kLength ? length_ >= trim.max_length + live
                                                        : EndsBefore(node, trim.min_id, trim.precision);
    if (!all) {
      if (trim.precision == StreamTrim::Precision::kExact) removed += TrimNode(trim);
      break;
    }
    RemoveNode(&node);
    length_ -= live;
    removed += live;
  }
  return removed;
}

// Trims inside the first node, of which something stays.
uint64_t Stream::TrimNode(const StreamTrim& trim) {
  auto& node = const_cast<StreamNode&>(FrontNode());
  uint64_t removed = 0;
  StreamEntry entry = Reader(node).First();
  for (;;) {
    if (trim.by == StreamTrim::By::kLength ? length_ <= trim.max_length : entry.id >= trim.min_id) break;
    if (!entry.deleted) {
      const size_t begin_before = entry.begin;
      const size_t entries_before = Reader(node).First().begin;
      stream_node::MarkDeleted(node, entry);
      // The header may have grown or shrunk with its counts, and the flags with theirs.
      const Reader reader(node);
      const size_t begin = begin_before + reader.First().begin - entries_before;
      entry = reader.EntryAt(begin);
      --length_;
      ++removed;
    }
    if (!Reader(node).Next(entry)) break;
  }
  return removed;
}

int64_t Stream::CountUpTo(StreamId id) const {
  const auto added = static_cast<int64_t>(entries_added);
  if (entries_added == 0) return 0;
  if (empty() && id <= last_id) return added;
  if (id == last_id) return added;
  if (id > last_id) return StreamGroup::kReadUnknown;
  // Deletions before the first entry shift nothing that comes after it.
  const StreamId first = FirstId();
  if (!max_deleted_id.IsZero() && max_deleted_id >= first) return StreamGroup::kReadUnknown;
  const int64_t before = added - static_cast<int64_t>(length_);
  if (id < first) return before;
  if (id == first) return before + 1;
  return StreamGroup::kReadUnknown;
}

bool Stream::MayHaveGapAfter(StreamId id) const {
  // A deletion before the first entry is no gap: all up to there has gone.
  return !empty() && !max_deleted_id.IsZero() && id <= max_deleted_id && FirstId() <= max_deleted_id;
}

std::optional<int64_t> Stream::LagOf(const StreamGroup& group) const {
  if (entries_added == 0) return 0;
  // Of a position that no entry has reached yet only the group's own counter can tell.
  if (group.last_id <= last_id) {
    if (empty() || group.last_id >= LastId()) return 0;
    if (group.last_id < FirstId() && !MayHaveGapAfter(group.last_id)) return static_cast<int64_t>(length_);
  }
  const auto added = static_cast<int64_t>(entries_added);
  // Clients may have set either number to anything.
  if (group.entries_read != StreamGroup::kReadUnknown && group.entries_read <= added &&
      !MayHaveGapAfter(group.last_id))
    return added - group.entries_read;
  const int64_t read = CountUpTo(group.last_id);
  if (read == StreamGroup::kReadUnknown) return std::nullopt;
  return added - read;
}

StreamGroup* Stream::FindGroup(std::string_view name) {
  if (groups_ == nullptr) return nullptr;
  auto found = groups_->find(name);
  return found == groups_->end() ? nullptr : &found->second;
}

StreamGroup* Stream::AddGroup(std::string_view name, StreamId group_last_id, int64_t entries_read) {
  if (groups_ == nullptr) groups_ = std::make_unique<Groups>();
  auto [at, added] = groups_->try_emplace(std::string(name), group_last_id, entries_read);
  return added ? &at->second : nullptr;
}

bool Stream::RemoveGroup(std::string_view name) {
  if (groups_ == nullptr) return false;
  auto found = groups_->find(name);
  if (found == groups_->end()) return false;
  groups_->erase(found);
  return true;
}

}  // namespace cinnabar::types
