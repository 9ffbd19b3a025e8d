// Active expiry: removes keys whose time has come although nobody asks for them.
//
// Each core sweeps its own share of the shards. A shard remembers a moment before which none of its entries
// expires, so that a sweep skips the quiet ones without reading them; within a shard the marks in the buckets
// name the entries that can expire. One shard is held at a time, outside any command.
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
  const Ticks deadline = clock_.Now() + clock_.ToTicks(budget * kNanosPerMicro);
  uint64_t removed = 0;
  for (int passes = 0; passes < core_.keyspace.databases(); ++passes) {
    if (!sweep_.running) {
      sweep_.database = (sweep_.database + 1) % core_.keyspace.databases();
      auto& earliest = core_.keyspace.Earliest(sweep_.database, static_cast<size_t>(core_index_));
      if (earliest.load(std::memory_order_relaxed) > core_.now) continue;
      // Whoever adds an earlier expiry from now on lowers it again.
      earliest.store(keyspace::kNever, std::memory_order_relaxed);
      sweep_ = {.running = true, .database = sweep_.database, .shard = static_cast<size_t>(core_index_)};
    }
    removed += SweepShards(deadline);
    if (sweep_.running) break;
  }
  return removed;
}

Millis Dispatcher::NextExpiry() const {
  if (sweep_.running) return core_.now;
  Millis next = keyspace::kNever;
  for (int database = 0; database < core_.keyspace.databases(); ++database) {
    const auto& earliest = core_.keyspace.Earliest(database, static_cast<size_t>(core_index_));
    next = std::min(next, earliest.load(std::memory_order_relaxed));
  }
  return next;
}

// Goes on with the sweep of one database until it is through or the time is over.
uint64_t Dispatcher::SweepShards(Ticks deadline) {
  Keyspace& keyspace = core_.keyspace;
  uint64_t removed = 0;
  for (int count = 0; sweep_.shard < Keyspace::kShards; ++count) {
    const size_t shard = sweep_.shard;
    sweep_.shard += static_cast<size_t>(keyspace.gate().cores());
    keyspace.Lock(shard);
    keyspace::ShardTable& table = keyspace.table(sweep_.database, shard);
    if (table.next_expiry <= core_.now) {
      keyspace::Database database(core_, sweep_.database);
      removed += ExpireShard(database, table);
      EndChanges();
    }
    sweep_.earliest = std::min(sweep_.earliest, table.next_expiry);
    keyspace.Unlock(shard);
    if (!deferred_.empty()) ServeDeferred();
    if (count % 16 == 15 && clock_.Now() > deadline) return removed;
  }
  keyspace.LowerEarliest(sweep_.database, static_cast<size_t>(core_index_), sweep_.earliest);
  sweep_.running = false;
  return removed;
}

}  // namespace cinnabar::dispatch
