#include "dispatch/expiry_sweep.h"

#include <algorithm>
#include <iterator>

#include "dispatch/blocked_calls.h"

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
uint64_t ExpireFields(keyspace::Database& database, size_t shard_index, keyspace::ShardTable& first) {
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
    keyspace::EntryRef entry = database.FindToChange(key, keyspace::Use::kSilent);
    if (!entry) continue;
    left -= database.RemoveExpiredFields(key, entry, left);
    if (entry) database.NoteFieldExpiry(key, *entry);
  }
  first.next_expiry = std::min(first.next_expiry, timed->Next());
  return kFieldsAtOnce - left;
}

// What one hold of a shard finds: entries that have expired, as many as go at once, and when the next will.
class Finds {
 public:
  explicit Finds(const keyspace::Database& database)
      : now_(database.now()), hands_over_(database.core().hands_over_expired) {}

  // Looks through a table from bucket `bucket` on, and leaves there where to go on: behind the last one,
  // unless there is enough.
  void Look(const Table<Entry>& entries, size_t& bucket) {
    bool cut = false;
    for (; bucket < entries.bucket_count() && effort_ < kKeysAtOnce; ++bucket) {
      entries.VisitBucket(bucket, [&](TableSlot& slot) {
        if (!slot.marked()) return;
        Entry* entry = slot.entry<Entry>();
        if (entry->expired(now_)) {
          cut = cut || effort_ >= kKeysAtOnce;
          if (cut) return;
          expired_.push_back(entry);
          // What may be freed here and now is enough for once.
          effort_ += entry->slow_to_free() && !hands_over_ ? kKeysAtOnce : 1;
        } else {
          next_ = std::min(next_, entry->expiry());
        }
      });
    }
    if (cut) --bucket;  // not all of the last one
  }

  const std::vector<Entry*>& expired() const { return expired_; }
  Millis next() const { return next_; }

 private:
  const Millis now_;
  const bool hands_over_;
  std::vector<Entry*> expired_;
  size_t effort_ = 0;
  Millis next_ = keyspace::kNever;
};

// Where a pass over the tables of a shard stands.
struct PassPlace {
  size_t table;
  size_t bucket = 0;
};

// Erases what has expired in one shard from `place` on, until enough has gone, and leaves there where to go
// on: where it began, at the end. REQUIRES: the shard is held.
uint64_t ExpireShard(keyspace::Database& database, size_t shard, PassPlace& place) {
  Keyspace& keyspace = database.keyspace();
  const bool from_start = place.table == shard && place.bucket == 0;
  Finds finds(database);
  for (; place.table < keyspace.tables(); place = {place.table + Keyspace::kShards}) {
    const Table<Entry>& entries = keyspace.table(database.index(), place.table).entries;
    if (entries.marked() == 0) continue;
    finds.Look(entries, place.bucket);
    if (place.bucket < entries.bucket_count()) break;
  }
  if (place.table >= keyspace.tables()) {
    place = {shard};
    if (from_start) keyspace.table(database.index(), shard).next_expiry = finds.next();
  }
  // A look-up removes what has expired, with all that follows from it.
  for (Entry* entry : finds.expired()) {
    const std::string name(entry->key());
    database.Peek(keyspace.KeyOf(name));
  }
  return finds.expired().size();
}

}  // namespace

void ExpirySweep::NoteOwn(int database, std::span<const PlacedKey> keys) {
  keyspace::Database own(context_.core, database);
  for (const PlacedKey& placed : keys) {
    const keyspace::EntryRef entry = own.Peek(placed.key);
    if (entry && entry->expiry() != keyspace::kNever) own_.emplace(database, placed.key.bytes);
  }
}

uint64_t ExpirySweep::SweepOwn() {
  uint64_t removed = 0;
  context_.run.outruns_pause = true;
  context_.ApplyModes();
  for (auto own = own_.begin(); own != own_.end();) {
    const keyspace::Key key = context_.core.keyspace.KeyOf(own->second);
    const size_t shard = Keyspace::ShardOf(key.hash);
    if (!context_.core.keyspace.LockUnlessLong(shard)) {
      ++own;
      continue;
    }
    const uint64_t expired_before = context_.core.expired;
    const keyspace::EntryRef entry = keyspace::Database(context_.core, own->first).Peek(key);
    const bool done = !entry || entry->expiry() == keyspace::kNever;
    removed += context_.core.expired - expired_before;
    blocked_.EndChanges(shard);
    context_.core.keyspace.Unlock(shard);
    own = done ? own_.erase(own) : std::next(own);
  }
  context_.run.outruns_pause = false;
  context_.ApplyModes();
  return removed;
}

uint64_t ExpirySweep::Run(Micros budget) {
  if (context_.follows) return SweepOwn();
  own_.clear();
  const Ticks began = context_.clock.Now();
  const uint64_t removed = SweepDatabases(began + context_.clock.ToTicks(budget * kNanosPerMicro));
  counters_.expiry_micros.Add(static_cast<uint64_t>(context_.clock.ToMicros(context_.clock.Now() - began)));
  if (progress_.running) counters_.expiry_cut_short.Add();
  return removed;
}

uint64_t ExpirySweep::SweepDatabases(Ticks deadline) {
  uint64_t removed = 0;
  for (int passes = 0; passes < context_.core.keyspace.databases(); ++passes) {
    if (!progress_.running) {
      progress_.database = (progress_.database + 1) % context_.core.keyspace.databases();
      auto& earliest =
          context_.core.keyspace.Earliest(progress_.database, static_cast<size_t>(context_.index));
      if (earliest.load(std::memory_order_relaxed) > context_.core.now) continue;
      // A command that adds an earlier expiry from now on lowers it again.
      earliest.store(keyspace::kNever, std::memory_order_relaxed);
      progress_ = {
          .running = true, .database = progress_.database, .shard = static_cast<size_t>(context_.index)};
    }
    removed += SweepShards(deadline);
    if (progress_.running) break;
  }
  return removed;
}

Millis ExpirySweep::NextExpiry() const {
  if (progress_.running) return context_.core.now;
  Millis next = keyspace::kNever;
  for (int database = 0; database < context_.core.keyspace.databases(); ++database) {
    const auto& earliest = context_.core.keyspace.Earliest(database, static_cast<size_t>(context_.index));
    next = std::min(next, earliest.load(std::memory_order_relaxed));
  }
  return next;
}

// Goes on with the sweep of one database until it is through or the time is over.
uint64_t ExpirySweep::SweepShards(Ticks deadline) {
  Keyspace& keyspace = context_.core.keyspace;
  uint64_t removed = 0;
  for (int count = 0; progress_.shard < Keyspace::kShards; ++count) {
    const size_t shard = progress_.shard;
    progress_.shard += static_cast<size_t>(keyspace.gate().cores());
    Millis next = keyspace::kNever;
    const uint64_t removed_before = removed;
    PassPlace place{shard};
    for (int round = 0; round < kRoundsPerShard; ++round) {
      if (!keyspace.LockUnlessLong(shard)) {
        next = context_.core.now;  // the next sweep comes back to it
        break;
      }
      keyspace::ShardTable& first = keyspace.table(progress_.database, shard);
      const bool due = context_.core.may_expire && first.next_expiry <= context_.core.now;
      if (due) {
        keyspace::Database database(context_.core, progress_.database);
        removed += ExpireShard(database, shard, place);
        removed += ExpireFields(database, shard, first);
        blocked_.EndChanges(shard);
      }
      next = first.next_expiry;
      keyspace.Unlock(shard);
      blocked_.ServeDeferred();
      if (!due || next > context_.core.now || context_.clock.Now() > deadline) break;
    }
    progress_.earliest = std::min(progress_.earliest, next);
    const bool worked = removed != removed_before;
    if ((worked || count % 16 == 15) && context_.clock.Now() > deadline) return removed;
  }
  keyspace.LowerEarliest(progress_.database, static_cast<size_t>(context_.index), progress_.earliest);
  progress_.running = false;
  return removed;
}

}  // namespace cinnabar::dispatch
