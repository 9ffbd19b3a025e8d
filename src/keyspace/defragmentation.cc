#include "keyspace/defragmentation.h"

#include "base/same_bytes.h"

namespace cinnabar::keyspace {

DefragmentationSweep::Progress DefragmentationSweep::Run(Relocation& relocation, size_t elements_at_once,
                                                         const TickClock& clock, Ticks deadline) {
  for (; database_ < keyspace_.databases(); ++database_, table_ = first_) {
    // The tables of a database that was never used are not made for this.
    if (keyspace_.tables_if_any(database_) == nullptr) continue;
    while (table_ < keyspace_.tables()) {
      const size_t shard = Keyspace::ShardOfTable(table_);
      if (!keyspace_.LockUnlessLong(shard)) return Progress::kMore;
      const Progress progress = SweepTable(relocation, elements_at_once, clock, deadline);
      keyspace_.Unlock(shard);
      if (progress == Progress::kMore) return progress;
      table_ += stride_;
      bucket_ = 0;
      cursor_ = {};
      if (clock.Now() >= deadline) return Progress::kMore;
    }
  }
  database_ = 0;
  return Progress::kThrough;
}

DefragmentationSweep::Progress DefragmentationSweep::SweepTable(Relocation& relocation,
                                                                size_t elements_at_once,
                                                                const TickClock& clock, Ticks deadline) {
  Table<Entry>& entries = keyspace_.table(database_, table_).entries;
  while (bucket_ < entries.bucket_count() || !large_.empty()) {
    if (clock.Now() >= deadline) return Progress::kMore;
    if (bucket_ < entries.bucket_count()) {
      SweepBucket(entries, relocation, elements_at_once);
      ++bucket_;
    } else if (!StepLargeValue(entries, relocation)) {
      large_.pop_back();
      cursor_ = {};
    }
  }
  return Progress::kThrough;
}

void DefragmentationSweep::SweepBucket(Table<Entry>& entries, Relocation& relocation,
                                       size_t elements_at_once) {
  const uint64_t offers_before = relocation.offers();
  entries.RelocateBucket(bucket_, relocation, [&](TableSlot& slot) {
    Entry* entry = slot.entry<Entry>();
    const uint64_t moved_before = relocation.moved();
    if (entry->place() == Place::kObject) {
      types::Value& value = *entry->object();
      if (relocation.offers() - offers_before + value.free_effort() > elements_at_once) {
        large_.emplace_back(entry->key());
      } else {
        RelocationCursor cursor;
        while (value.RelocateSome(relocation, cursor)) {
        }
      }
    }
    slot.set_pointer(Entry::Relocate(entry, relocation));
    ++(relocation.moved() != moved_before ? keys_moved_ : keys_left_);
  });
}

// A step of the value whose name was noted last. False when it is through, or gone.
bool DefragmentationSweep::StepLargeValue(Table<Entry>& entries, Relocation& relocation) {
  const std::string_view name = large_.back();
  const TableSlot* slot =
      entries.Find(keyspace_.HashOf(name), [&](const Entry& entry) { return SameBytes(entry.key(), name); });
  if (slot == nullptr) return false;
  Entry* entry = slot->entry<Entry>();
  return entry->place() == Place::kObject && entry->object()->RelocateSome(relocation, cursor_);
}

}  // namespace cinnabar::keyspace
