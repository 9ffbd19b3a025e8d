// Active expiry: removes keys whose time has come although nobody asks for them.
//
// Each core sweeps its own share of the shards. A shard remembers a moment before which none of its entries
// expires, so that a sweep skips the quiet ones without reading them; within a shard the marks in the buckets name
// the entries that can expire. One shard is held at a time, outside any command.
#include <algorithm>

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

using keyspace::Entry;
using keyspace::Keyspace;

namespace {

// Erases what has expired in one shard. REQUIRES: the shard is held.
uint64_t ExpireShard(keyspace::Database& database, keyspace::ShardTable& shard) {
  const Millis now = database.now();
  std::vector<Entry*> expired;
  Millis next = keyspace::kNever;
  for (size_t bucket = 0; bucket < shard.entries.bucket_count(); ++bucket) {
    shard.entries.VisitBucket(bucket, [&](TableSlot& slot) {
      if (!slot.marked()) return;
      Entry* entry = slot.entry<Entry>();
      if (entry->expired(now)) {
        expired.push_back(entry);
      } else {
        next = std::min(next, entry->expiry());
      }
    });
  }
  shard.next_expiry = next;
  // A look-up removes what has expired, with all that follows from it.
  for (Entry* entry : expired) {
    const std::string name(entry->key());
    database.FindWrite(database.keyspace().KeyOf(name), keyspace::Use::kSilent);
  }
  return expired.size();
}

}  // namespace

uint64_t Dispatcher::ExpireSome(Micros budget) {
  Keyspace& keyspace = core_.keyspace;
  const uint32_t cores = static_cast<uint32_t>(keyspace.gate().cores());
  const Ticks deadline = clock_.Now() + clock_.ToTicks(budget * kNanosPerMicro);
  uint64_t removed = 0;
  const uint32_t steps = static_cast<uint32_t>(Keyspace::kShards / cores + 1) *
                         static_cast<uint32_t>(keyspace.databases());
  for (uint32_t step = 0; step < steps; ++step) {
    const uint32_t shard = expiry_shard_ * cores + static_cast<uint32_t>(core_index_);
    if (shard >= Keyspace::kShards || keyspace.tables_if_any(expiry_database_) == nullptr) {
      expiry_shard_ = 0;
      expiry_database_ = (expiry_database_ + 1) % keyspace.databases();
      continue;
    }
    ++expiry_shard_;
    keyspace.Lock(shard);
    keyspace::ShardTable& table = keyspace.table(expiry_database_, shard);
    if (table.next_expiry <= core_.now) {
      keyspace::Database database(core_, expiry_database_);
      removed += ExpireShard(database, table);
      if (!effects_.empty()) FlushEffects();
    }
    keyspace.Unlock(shard);
    if ((step & 15) == 0 && clock_.Now() > deadline) break;
  }
  return removed;
}

}  // namespace cinnabar::dispatch
