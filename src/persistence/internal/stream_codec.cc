// A stream:
//
//   nodes: n, (16 bytes of id, listpack)...
//   length, last id, [first id, greatest deleted id, entries added]     in brackets: from kStream2 on
//   groups: n, (name, last id, [entries read],
//               pending: n, (16 bytes of id, moment, deliveries)...
//               consumers: n, (name, moment seen, {moment active},      in braces: from kStream3 on
//                              pending: n, (16 bytes of id)...)...)...
//
// The 16 bytes of an id are big-endian; other ids are two lengths.
//
// Redis has written, and reads, streams that contradict themselves: a length that is not that of the entries,
// nodes of which every entry is deleted, ids that go back behind deleted ones. They are put right here.
#include <cstring>
#include <vector>

#include "base/check.h"
#include "persistence/internal/packed_payload.h"
#include "persistence/internal/value_codecs.h"
#include "types/stream.h"

namespace cinnabar::persistence::internal {
namespace {

using types::PendingEntry;
using types::PendingId;
using types::Stream;
using types::StreamConsumer;
using types::StreamGroup;
using types::StreamId;
using types::StreamNode;

constexpr size_t kRawIdBytes = 16;
// The least that each takes.
constexpr uint64_t kNodeBytes = 1 + kRawIdBytes + 1;
constexpr uint64_t kPendingBytes = kRawIdBytes + 8 + 1;
constexpr uint64_t kConsumerBytes = 1 + 8 + 1;
constexpr uint64_t kGroupBytes = 5;

struct RawId {
  explicit RawId(StreamId id) {
    const uint64_t words[2] = {__builtin_bswap64(id.millis), __builtin_bswap64(id.sequence)};
    std::memcpy(bytes, words, sizeof bytes);
  }
  std::string_view view() const { return {bytes, sizeof bytes}; }
  char bytes[kRawIdBytes];
};

StreamId IdFrom(std::string_view bytes) {
  uint64_t words[2];
  std::memcpy(words, bytes.data(), sizeof words);
  return {__builtin_bswap64(words[0]), __builtin_bswap64(words[1])};
}

// ---- writing

void WriteId(RdbWriter& out, StreamId id) {
  out.Length(id.millis);
  out.Length(id.sequence);
}

void WriteGroup(RdbWriter& out, RdbType type, const StreamGroup& group) {
  WriteId(out, group.last_id);
  out.Length(static_cast<uint64_t>(group.entries_read));
  out.Length(group.pending().size());
  group.pending().ForEach([&](const PendingEntry& entry) {
    out.Raw(RawId(entry.id).view());
    out.Moment(entry.delivered);
    out.Length(entry.deliveries);
  });
  out.Length(group.consumers().size());
  for (const auto& [name, consumer] : group.consumers()) {
    out.String(name);
    out.Moment(consumer.seen);
    if (type == RdbType::kStream3) out.Moment(consumer.active);
    out.Length(consumer.pending().size());
    consumer.pending().ForEach([&](const PendingId& pending) { out.Raw(RawId(pending.id).view()); });
  }
}

// ---- reading

class StreamReading {
 public:
  StreamReading(RdbReader& in, RdbType type, RdbRoom& room) : in_(in), type_(type), room_(room) {}

  std::unique_ptr<Stream> Read() {
    ReadNodes();
    ReadCounters();
    for (uint64_t left = in_.Count(kGroupBytes); left > 0 && !in_.failed(); --left) ReadGroup();
    return std::move(stream_);
  }

  std::string_view mended() const { return mended_; }

 private:
  StreamId ReadId() {
    const uint64_t millis = in_.Length();
    const uint64_t sequence = in_.Length();
    return {millis, sequence};
  }
  StreamId ReadRawId() {
    const std::string_view bytes = in_.Raw(kRawIdBytes);
    return in_.failed() ? StreamId() : IdFrom(bytes);
  }

  void ReadNodes() {
    uint64_t left = in_.Count(kNodeBytes);
    had_nodes_ = left > 0;
    for (; left > 0 && !in_.failed(); --left) {
      const std::string_view key = in_.String(room_);
      if (!in_.failed() && key.size() != kRawIdBytes) in_.FailCorrupt("a stream node without a proper id");
      if (in_.failed()) return;
      const StreamId id = IdFrom(key);
      AddNode(id, in_.String(room_));
    }
  }
  void AddNode(StreamId id, std::string_view bytes) {
    if (in_.failed()) return;
    const auto contents = bytes.size() > std::numeric_limits<uint32_t>::max()
                              ? std::nullopt
                              : types::stream_node::Valid(id, bytes);
    if (!contents) return in_.FailCorrupt("Stream listpack integrity check failed");
    if (contents->counts.live == 0) return Mend("nodes without live entries are left out");
    if (stream_->nodes() > 0 && (id <= last_live_ || contents->first_live <= last_live_))
      return in_.FailCorrupt("stream nodes out of order");
    StreamNode node{
        .id = id, .bytes = const_cast<char*>(bytes.data()), .size = static_cast<uint32_t>(bytes.size())};
    // Deleted entries may stand in the way of later ids, since XSETID can go back.
    if (stream_->nodes() > 0 && types::stream_node::Reader(node).First().id <= last_) ForgetDeleted();
    if (contents->ordered) {
      last_ = types::stream_node::Reader(node).Last().id;
      stream_->AppendNode(id, bytes);
    } else {
      node = types::stream_node::WithoutDeleted(node);
      last_ = contents->last_live;
      stream_->AppendNode(node.id, node.view());
      types::stream_node::Destroy(node);
    }
    last_live_ = contents->last_live;
  }
  void ForgetDeleted() {
    stream_->ForgetDeletedAtEnd();
    last_ = last_live_;
  }

  void ReadCounters() {
    const uint64_t length = in_.Length();
    stream_->last_id = ReadId();
    if (type_ == RdbType::kStream) {
      stream_->entries_added = stream_->length();
    } else {
      ReadId();  // the first: the nodes tell it
      stream_->max_deleted_id = ReadId();
      stream_->entries_added = in_.Length();
    }
    if (in_.failed()) return;
    if (stream_->last_id < last_live_ || (length > 0 && !had_nodes_))
      return in_.FailCorrupt("a stream whose counters contradict its entries");
    if (stream_->last_id < last_) ForgetDeleted();
    if (length != stream_->length()) Mend("the length is counted again");
    if (stream_->entries_added < stream_->length()) {
      stream_->entries_added = stream_->length();
      Mend("as many entries were added as there are");
    }
  }
  void Mend(std::string_view how) {
    if (mended_.empty()) mended_ = how;
  }

  void ReadGroup() {
    const std::string name(in_.String(room_));
    const StreamId last_id = ReadId();
    int64_t read = 0;
    if (type_ != RdbType::kStream) read = static_cast<int64_t>(in_.Length());
    if (read < StreamGroup::kReadUnknown) in_.FailCorrupt("a group that has read less than nothing");
    if (in_.failed()) return;
    if (type_ == RdbType::kStream) read = stream_->CountUpTo(last_id);
    StreamGroup* group = stream_->AddGroup(name, last_id, read);
    if (group == nullptr) return in_.FailCorrupt("two groups of one name");
    ReadPending();
    for (uint64_t left = in_.Count(kConsumerBytes); left > 0 && !in_.failed(); --left) ReadConsumer(*group);
    for (const PendingEntry& entry : pending_) {
      if (in_.failed()) return;
      if (entry.consumer == nullptr) return in_.FailCorrupt("a pending entry without a consumer");
      group->AddPending(entry.id, *entry.consumer, entry.delivered, entry.deliveries);
    }
  }

  void ReadPending() {
    pending_.clear();
    for (uint64_t left = in_.Count(kPendingBytes); left > 0 && !in_.failed(); --left) {
      PendingEntry entry;
      entry.id = ReadRawId();
      entry.delivered = in_.Moment();
      entry.deliveries = in_.Length();
      if (!pending_.empty() && entry.id <= pending_.back().id)
        in_.FailCorrupt("pending entries out of order");
      pending_.push_back(entry);
    }
  }

  void ReadConsumer(StreamGroup& group) {
    const std::string_view name = in_.String(room_);
    const Millis seen = in_.Moment();
    const Millis active = type_ == RdbType::kStream3 ? in_.Moment() : seen;
    if (!in_.failed() && group.FindConsumer(name) != nullptr)
      in_.FailCorrupt("Duplicate stream consumer detected");
    if (in_.failed()) return;
    StreamConsumer& consumer = group.AddConsumer(name, seen);
    consumer.active = active;
    for (uint64_t left = in_.Count(kRawIdBytes); left > 0 && !in_.failed(); --left)
      Give(ReadRawId(), consumer);
  }
  void Give(StreamId id, StreamConsumer& consumer) {
    const auto found = std::lower_bound(pending_.begin(), pending_.end(), id,
                                        [](const PendingEntry& entry, StreamId i) { return entry.id < i; });
    if (found == pending_.end() || found->id != id) {
      return in_.FailCorrupt("a consumer whose pending entries are not those of its group");
    }
    if (found->consumer != nullptr) {
      return in_.FailCorrupt("Stream consumer PEL entry already has a consumer assigned");
    }
    found->consumer = &consumer;
  }

  RdbReader& in_;
  const RdbType type_;
  RdbRoom& room_;
  std::unique_ptr<Stream> stream_ = std::make_unique<Stream>();
  bool had_nodes_ = false;
  StreamId last_live_;  // of the entries so far
  StreamId last_;       // the same, with deleted ones
  std::string_view mended_;
  std::vector<PendingEntry> pending_;
};

}  // namespace

void WriteStream(RdbWriter& out, RdbType type, types::Holder& holder) {
  const auto& stream = static_cast<const Stream&>(*holder.object());
  out.Length(stream.nodes());
  stream.ForEachNode([&](const StreamNode& node) {
    out.String(RawId(node.id).view());
    out.String(node.view());
  });
  out.Length(stream.length());
  WriteId(out, stream.last_id);
  WriteId(out, stream.FirstId());
  WriteId(out, stream.max_deleted_id);
  out.Length(stream.entries_added);
  const Stream::Groups* groups = stream.groups();
  out.Length(groups == nullptr ? 0 : groups->size());
  if (groups == nullptr) return;
  for (const auto& [name, group] : *groups) {
    out.String(name);
    WriteGroup(out, type, group);
  }
}

void ReadStream(RdbReader& in, RdbType type, RdbValue& value) {
  StreamReading reading(in, type, value.room);
  std::unique_ptr<Stream> stream = reading.Read();
  if (in.failed()) return;
  value.object = std::move(stream);
  value.mended = reading.mended();
}

}  // namespace cinnabar::persistence::internal
