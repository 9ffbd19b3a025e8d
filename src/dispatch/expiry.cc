// Active expiry: removes keys whose time has come although nobody asks for them.
//
// Each core sweeps its own share of the shards. A shard remembers a moment before which none of its entries
// expires, so that a sweep skips the quiet ones without reading them; within a shard the marks in the buckets
// name the entries that can expire. One shard is held at a time, outside any command.
//
// Fields of hashes expire in the same sweep: a shard's TimedHashes names the hashes to look at, and their
// moments lower the same bound. A hash loses a limited number of fields at a time, between which the shard is
// free.
#include <algorithm>

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

using keyspace::Entry;
using keyspace::Keyspace;

namespace {

// At most this many fields of one hash are removed while a shard is held, which takes some 100 us.
constexpr size_t kFieldsAtOnce = 256;
// A sweep comes back to a shard so often before it goes on to the next.
constexpr int kRoundsPerShard = 64;

// Removes expired fields of the hashes in one shard, and lowers its bound to the next. REQUIRES: the shard is
// held.
uint64_t ExpireFields(keyspace::Database& database, size_t shard_index, keyspace::ShardTable& shard) {
  Keyspace& keyspace = database.keyspace();
  keyspace::TimedHashes* timed = keyspace.timed_hashes(database.index(), shard_index);
  if (timed == nullptr || timed->empty()) return 0;
  uint64_t removed = 0;
  if (database.core().may_expire) {
    for (const std::string& name : timed->TakeDue(database.now())) {
      const keyspace::Key key = keyspace.KeyOf(name);
      keyspace::EntryRef entry = database.FindWrite(key, keyspace::Use::kSilent);
      if (!entry) continue;
      removed += database.RemoveExpiredFields(key, entry, kFieldsAtOnce);
      if (entry) database.NoteFieldExpiry(key, *entry);
    }
  }
  shard.next_expiry = std::min(shard.next_expiry, timed->NextAfter(database.now()));
  return removed;
}

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
  const Ticks began = clock_.Now();
  const uint64_t removed = SweepDatabases(began + clock_.ToTicks(budget * kNanosPerMicro));
  counters_.expiry_micros.Add(static_cast<uint64_t>(clock_.ToMicros(clock_.Now() - began)));
  if (sweep_.running) counters_.expiry_cut_short.Add();
  return removed;
}

uint64_t Dispatcher::SweepDatabases(Ticks deadline) {
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
    Millis next = keyspace::kNever;
    const uint64_t removed_before = removed;
    for (int round = 0; round < kRoundsPerShard; ++round) {
      keyspace.Lock(shard);
      keyspace::ShardTable& table = keyspace.table(sweep_.database, shard);
      const bool due = table.next_expiry <= core_.now;
      if (due) {
        keyspace::Database database(core_, sweep_.database);
        removed += ExpireShard(database, table);
        removed += ExpireFields(database, shard, table);
        EndChanges(shard);
      }
      next = table.next_expiry;
      keyspace.Unlock(shard);
      if (!deferred_.empty()) ServeDeferred();
      if (!due || next > core_.now || clock_.Now() > deadline) break;
    }
    sweep_.earliest = std::min(sweep_.earliest, next);
    const bool worked = removed != removed_before;
    if ((worked || count % 16 == 15) && clock_.Now() > deadline) return removed;
  }
  keyspace.LowerEarliest(sweep_.database, static_cast<size_t>(core_index_), sweep_.earliest);
  sweep_.running = false;
  return removed;
}

}  // namespace cinnabar::dispatch
