#include "types/stream_group.h"

#include "base/check.h"

namespace cinnabar::types {

StreamGroup::StreamGroup(const StreamGroup& other)
    : last_id(other.last_id), entries_read(other.entries_read), pending_(other.pending_) {
  for (const auto& [name, consumer] : other.consumers_) {
    StreamConsumer& copy = AddConsumer(name, consumer.seen);
    copy.active = consumer.active;
    consumer.pending_.ForEach([&](const PendingId& item) {
      copy.pending_.Insert(item);
      pending_.Find(item.id)->consumer = &copy;
    });
  }
}

StreamConsumer* StreamGroup::FindConsumer(std::string_view name) {
  auto found = consumers_.find(name);
  return found == consumers_.end() ? nullptr : &found->second;
}

StreamConsumer& StreamGroup::AddConsumer(std::string_view name, Millis now) {
  const auto [at, added] = consumers_.try_emplace(std::string(name));
  CHECK(added);
  at->second.name_ = &at->first;
  at->second.seen = now;
  return at->second;
}

size_t StreamGroup::RemoveConsumer(std::string_view name) {
  auto found = consumers_.find(name);
  CHECK(found != consumers_.end());
  const OrderedChunks<PendingId>& own = found->second.pending_;
  const size_t count = own.size();
  own.ForEach([this](const PendingId& item) { pending_.EraseKey(item.id); });
  consumers_.erase(found);
  return count;
}

void StreamGroup::Deliver(StreamId id, StreamConsumer& consumer, Millis now) {
  const bool fresh = pending_.empty() || pending_.back().id < id;
  PendingEntry* entry = fresh ? nullptr : pending_.Find(id);
  if (entry == nullptr) return AddPending(id, consumer, now, 1);
  entry->delivered = now;
  entry->deliveries = 1;
  Assign(*entry, consumer);
}

void StreamGroup::AddPending(StreamId id, StreamConsumer& consumer, Millis delivered, uint64_t deliveries) {
  pending_.Insert({.id = id, .delivered = delivered, .deliveries = deliveries, .consumer = &consumer});
  consumer.pending_.Insert({id});
}

void StreamGroup::Assign(PendingEntry& entry, StreamConsumer& consumer) {
  if (entry.consumer == &consumer) return;
  entry.consumer->pending_.EraseKey(entry.id);
  consumer.pending_.Insert({entry.id});
  entry.consumer = &consumer;
}

bool StreamGroup::RemovePending(StreamId id) {
  const auto at = pending_.Lower(id);
  if (at == pending_.End() || pending_.At(at).id != id) return false;
  pending_.At(at).consumer->pending_.EraseKey(id);
  pending_.Erase(at);
  return true;
}

bool StreamGroup::RelocateSome(Relocation& relocation, uint64_t enough, RelocationCursor& cursor) {
  uint64_t part = 0;
  auto has_more = [&](auto& chunks) {
    if (part++ < cursor.part) return false;
    if (chunks.RelocateSome(relocation, enough, cursor.at, [](const auto&) {})) return true;
    cursor = {.part = part};
    return false;
  };
  if (has_more(pending_)) return true;
  for (auto& [name, consumer] : consumers_) {
    if (has_more(consumer.pending_)) return true;
  }
  return false;
}

size_t StreamGroup::memory() const {
  constexpr size_t kMapNode = 32;
  size_t bytes = sizeof *this + pending_.memory();
  for (const auto& [name, consumer] : consumers_)
    bytes += kMapNode + sizeof(Consumers::value_type) + name.capacity() + consumer.pending_.memory();
  return bytes;
}

size_t StreamGroup::allocations() const {
  size_t count = 1 + pending_.allocations();
  for (const auto& [name, consumer] : consumers_) count += 1 + consumer.pending_.allocations();
  return count;
}

}  // namespace cinnabar::types
