// StreamGroup: who reads a stream together, and what each has read and not acknowledged yet.
//
// The pending entries stand twice: in the group, in the order of ids, with everything that is known of them;
// and as bare ids with the consumer that holds them. Both always agree, and every pending entry belongs to
// exactly one consumer.
//
// A group knows no clock: `now` comes from the caller. References to consumers stay good until they are
// removed; a PendingEntry until the next change of the group.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "structures/ordered_chunks.h"
#include "types/stream_id.h"

namespace cinnabar::types {

class StreamConsumer;

struct PendingEntry {
  StreamId id;
  Millis delivered = 0;     // when it was handed out last
  uint64_t deliveries = 0;  // how often
  StreamConsumer* consumer = nullptr;

  StreamId key() const { return id; }
};

struct PendingId {
  StreamId id;
  StreamId key() const { return id; }
};

class StreamConsumer {
 public:
  static constexpr Millis kNeverActive = -1;

  Millis seen = 0;               // last attempt to do something
  Millis active = kNeverActive;  // last time when it got something
  const OrderedChunks<PendingId>& pending() const { return pending_; }
  const std::string& name() const { return *name_; }

 private:
  friend class StreamGroup;
  const std::string* name_ = nullptr;  // the key of the map
  OrderedChunks<PendingId> pending_;
};

class StreamGroup {
 public:
  using Consumers = std::map<std::string, StreamConsumer, std::less<>>;
  static constexpr int64_t kReadUnknown = -1;

  StreamGroup(StreamId last_id, int64_t entries_read) : last_id(last_id), entries_read(entries_read) {}
  StreamGroup(const StreamGroup& other);
  StreamGroup& operator=(const StreamGroup&) = delete;

  StreamId last_id;      // the greatest that was delivered
  int64_t entries_read;  // how many of the stream's entries that makes, or kReadUnknown

  const Consumers& consumers() const { return consumers_; }
  StreamConsumer* FindConsumer(std::string_view name);
  // REQUIRES: there is none of that name.
  StreamConsumer& AddConsumer(std::string_view name, Millis now);
  // Removes it with what it has pending, and says how much that was. REQUIRES: it is there.
  size_t RemoveConsumer(std::string_view name);

  const OrderedChunks<PendingEntry>& pending() const { return pending_; }
  PendingEntry* FindPending(StreamId id) { return pending_.Find(id); }
  // Hands an entry out for the first time (again, if the group was set back): the consumer that had it loses
  // it.
  void Deliver(StreamId id, StreamConsumer& consumer, Millis now);
  // Adds a pending entry. REQUIRES: it is not pending.
  void AddPending(StreamId id, StreamConsumer& consumer, Millis delivered, uint64_t deliveries);
  // Gives a pending entry to a consumer, perhaps the one that has it.
  void Assign(PendingEntry& entry, StreamConsumer& consumer);
  // False when it was not pending.
  bool RemovePending(StreamId id);

  // Offers the blocks of what is pending, up to the number `enough` of offers, as Value::RelocateSome.
  // `cursor.part` counts the group and its consumers.
  bool RelocateSome(Relocation& relocation, uint64_t enough, RelocationCursor& cursor);

  size_t memory() const;
  size_t allocations() const;

 private:
  Consumers consumers_;
  OrderedChunks<PendingEntry> pending_;
};

}  // namespace cinnabar::types
