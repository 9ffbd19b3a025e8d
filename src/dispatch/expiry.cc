// Active expiry: removes keys whose time has come although nobody asks for them.
//
// Each core sweeps its own share of the shards. A shard remembers a moment before which none of its entries
// expires, so that a sweep skips the quiet ones without reading them; within a shard the marks in the buckets
// name the entries that can expire. One shard is held at a time, outside any command.
//
// While a shard is held a limited number of keys and fields goes; in between the shard is free. A pass over
// the shard goes on where the last hold ended. Only a pass that met every entry in one hold says when the
// next expires: until then the old bound, which is past, keeps the shard due.
//
// Fields of hashes expire in the same sweep: a shard's TimedHashes names the hashes to look at, and their
// moments lower the same bound.
#include <algorithm>

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

using keyspace::Entry;
using keyspace::Keyspace;

namespace {

// At most this many fields, and about this many keys, are removed while a shard is held, which takes some
// 100 us.
constexpr size_t kFieldsAtOnce = 256;
constexpr size_t kKeysAtOnce = 256;
// Hashes that are looked at while a shard is held.
constexpr size_t kHashesAtOnce = 256;
// A sweep comes back to a shard so often before it goes on to the next.
constexpr int kRoundsPerShard = 64;

// Removes expired fields of the hashes in one shard, and lowers its bound to the next. REQUIRES: the shard is
// held.
uint64_t ExpireFields(keyspace::Database& database, size_t shard_index, keyspace::ShardTable& shard) {
  Keyspace& keyspace = database.keyspace();
  keyspace::TimedHashes* timed = keyspace.timed_hashes(database.index(), shard_index);
  if (timed == nullptr || timed->empty()) return 0;
  size_t left = kFieldsAtOnce;
  for (const std::string& name : timed->TakeDue(database.now(), kHashesAtOnce)) {
    if (left == 0) {
      timed->Note(name, database.now());
      continue;
    }
    const keyspace::Key key = keyspace.KeyOf(name);
    keyspace::EntryRef entry = database.FindWrite(key, keyspace::Use::kSilent);
    if (!entry) continue;
    left -= database.RemoveExpiredFields(key, entry, left);
    if (entry) database.NoteFieldExpiry(key, *entry);
  }
  shard.next_expiry = std::min(shard.next_expiry, timed->Next());
  return kFieldsAtOnce - left;
}

// Erases what has expired in one shard from bucket `bucket` on, until enough has gone, and leaves there where
// to go on: 0 at the end. REQUIRES: the shard is held.
uint64_t ExpireShard(keyspace::Database& database, keyspace::ShardTable& shard, size_t& bucket) {
  const Millis now = database.now();
  const bool from_start = bucket == 0;
  std::vector<Entry*> expired;
  size_t effort = 0;
  bool cut = false;
  Millis next = keyspace::kNever;
  for (; bucket < shard.entries.bucket_count() && effort < kKeysAtOnce; ++bucket) {
    shard.entries.VisitBucket(bucket, [&](TableSlot& slot) {
      if (!slot.marked()) return;
      Entry* entry = slot.entry<Entry>();
      if (entry->expired(now)) {
        cut = cut || effort >= kKeysAtOnce;
        if (cut) return;
        expired.push_back(entry);
        // What may be freed here and now is enough for once.
        effort += entry->slow_to_free() && !database.core().hands_over_expired ? kKeysAtOnce : 1;
      } else {
        next = std::min(next, entry->expiry());
      }
    });
  }
  if (cut) {
    --bucket;  // not all of the last one
  } else if (bucket >= shard.entries.bucket_count()) {
    bucket = 0;
    if (from_start) shard.next_expiry = next;
  }
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
    size_t bucket = 0;
    for (int round = 0; round < kRoundsPerShard; ++round) {
      keyspace.Lock(shard);
      keyspace::ShardTable& table = keyspace.table(sweep_.database, shard);
      const bool due = core_.may_expire && table.next_expiry <= core_.now;
      if (due) {
        keyspace::Database database(core_, sweep_.database);
        removed += ExpireShard(database, table, bucket);
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
