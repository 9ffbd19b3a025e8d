// Keyspace: every key of the server, split into shards, in one table per shard and database; in a node of a
// cluster, in one table per hash slot, a shard being 16 slots.
//
//   low bits of a hash    kByHash: [         of the key's bytes         | shard:10]
//                         kBySlot: [ of the key's bytes | slot & 15 : 4 | slot >> 4 : 10]
//                                                       |---------- table ------------|
//
// So in both layouts the low bits name the table, and the lowest of these the shard. The tables of shard S
// are S, S + kShards, S + 2 * kShards ...
//
// Code that touches a shard's tables holds the shard's lock, or the world gate, or runs where there is one
// core only. `Database` (database.h) is what commands use; the functions here are for dispatch (locks),
// sweeps (expiry, eviction, scans) and whole-keyspace commands.
//
// Size: it hands out the locks, tables, watches and counts of each shard, most of them with one line each.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/key_slot.h"
#include "keyspace/entry.h"
#include "keyspace/shard_lock.h"
#include "keyspace/timed_hashes.h"
#include "keyspace/waiters.h"
#include "keyspace/world_gate.h"
#include "structures/table.h"

namespace cinnabar::keyspace {

// A key and its hash, which is computed once per command.
struct Key {
  std::string_view bytes;
  uint64_t hash = 0;
};

// One session's WATCH. The keyspace sets `dirty` when a watched key changes; EXEC reads it with all locks
// held.
struct Watcher {
  std::atomic<bool> dirty{false};
};

using WatchList = std::unordered_map<std::string, std::vector<Watcher*>, HashOfName, std::equal_to<>>;

// One table of one database: all that its shard guards there, or one slot of it. One cache line.
struct alignas(64) ShardTable {
  Table<Entry> entries;
  std::unique_ptr<WatchList> watches;  // null while no key here is watched
  Millis next_expiry = kNever;         // of a shard's first table: no entry of the shard expires before it
  std::unique_ptr<WaitQueues> waits;   // null while nobody waits for a key here
};
static_assert(sizeof(ShardTable) == 64);

// The lock of one shard, with what its holder reads and writes anyway. One cache line: cores that work on
// different shards do not meet.
struct alignas(64) GuardedShard {
  ShardLock lock;
  uint64_t journal_offset = 0;
};
static_assert(sizeof(GuardedShard) == 64);

// What a table holds: all keys of a shard, or those of one hash slot.
enum class Layout : uint8_t { kByHash, kBySlot };

class Keyspace {
 public:
  static constexpr int kShardBits = 10;
  static constexpr size_t kShards = size_t{1} << kShardBits;
  static constexpr size_t kSlotsPerShard = kKeySlots / kShards;
  // Tables take their buckets from the bits above those that choose the table.
  static_assert(kShards * kSlotsPerShard == size_t{1} << Table<Entry>::kHashSkip);

  // With one core nothing is ever locked.
  Keyspace(int databases, const HashKey& hash_key, int cores, Layout layout = Layout::kByHash);
  ~Keyspace();

  uint64_t HashOf(std::string_view key) const {
    const uint64_t hash = HashBytes(key, hash_key_);
    if (layout_ == Layout::kBySlot) [[unlikely]]
      return WithSlot(hash, key);
    return hash;
  }
  Key KeyOf(std::string_view bytes) const { return {bytes, HashOf(bytes)}; }
  static size_t ShardOf(uint64_t hash) { return hash & (kShards - 1); }

  Layout layout() const { return layout_; }
  // How many tables a database has, and which of them a key is in.
  size_t tables() const { return table_mask_ + 1; }
  size_t TableOf(uint64_t hash) const { return hash & table_mask_; }
  static size_t ShardOfTable(size_t table) { return table & (kShards - 1); }
  // In the layout by slot: the table of a slot, and the slot of a key, whose hash this is, or of a table.
  static size_t TableOfSlot(int slot) {
    const auto number = static_cast<size_t>(slot);
    return number / kSlotsPerShard | (number % kSlotsPerShard) << kShardBits;
  }
  static int SlotOf(uint64_t hash) {
    return static_cast<int>(ShardOf(hash) * kSlotsPerShard + (hash >> kShardBits) % kSlotsPerShard);
  }

  int databases() const { return static_cast<int>(databases_.size()); }
  WorldGate& gate() { return gate_; }
  bool locking() const { return gate_.cores() > 1; }

  void Lock(size_t shard) {
    if (locking()) shards_[shard].lock.Lock();
  }
  void Unlock(size_t shard) {
    if (locking()) shards_[shard].lock.Unlock();
  }
  bool TryLock(size_t shard) { return !locking() || shards_[shard].lock.TryLock(); }
  // See ShardLock.
  bool TryBriefly(size_t shard) { return !locking() || shards_[shard].lock.TryBriefly(); }
  bool LockUnlessLong(size_t shard) { return !locking() || shards_[shard].lock.LockUnlessLong(); }
  void MarkLong(size_t shard) {
    if (locking()) shards_[shard].lock.MarkLong();
  }
  // For the holder of the world before it lends the gate, and after it has taken it back: all shards are its
  // own, for long.
  void LockAll();
  void UnlockAll();
  // Debug builds refuse a look-up without the shard (DESIGN §5).
  void CheckHeld([[maybe_unused]] size_t shard) const {
#ifndef NDEBUG
    DCHECK(!locking() || gate_.HeldByCaller() || shards_[shard].lock.HeldByCaller());
#endif
  }

  // The tables of a database are made when it is first used.
  ShardTable& table(int database, size_t number) {
    ShardTable* tables = databases_[database].load(std::memory_order_acquire);
    if (tables == nullptr) [[unlikely]]
      tables = MakeTables(database);
    return tables[number];
  }
  // Null when the database was never used.
  ShardTable* tables_if_any(int database) const {
    return databases_[database].load(std::memory_order_acquire);
  }

  // REQUIRES: the shard is held, or nothing else runs.
  uint64_t HashOfEntry(const Entry& entry) const {
    return HashOf(entry.key());
  }

  // The journal offset behind the last change in a shard. REQUIRES: the shard is held.
  uint64_t journal_offset(size_t shard) const {
    return shards_[shard].journal_offset;
  }
  void set_journal_offset(size_t shard, uint64_t offset) {
    shards_[shard].journal_offset = offset;
  }

  // Adding and removing the watch of one key. REQUIRES: the key's shard is held.
  void Watch(int database, const Key& key, Watcher& watcher);
  void Unwatch(int database, const Key& key, Watcher& watcher);

  // Puts a waiter at the end of a key's queue, and takes it out wherever it stands. REQUIRES: the shard is
  // held.
  void Await(int database, const Key& key, std::shared_ptr<Waiter> waiter);
  void StopAwaiting(int database, const Key& key, const Waiter& waiter);
  // Null when nobody waits for the key. REQUIRES: the shard is held.
  WaitQueue* FindQueue(int database, const Key& key);

  // A lower bound of the expiry times in the shards that one sweeper (a core) looks after. REQUIRES: the
  // shard is held.
  void NoteExpiry(int database, size_t shard, Millis expiry) {
    ShardTable& first = table(database, shard);
    if (expiry >= first.next_expiry) return;
    first.next_expiry = expiry;
    LowerEarliest(database, shard % static_cast<size_t>(gate_.cores()), expiry);
  }
  // Says that no field of the hash at a key expires before this moment, and that some may then. REQUIRES: the
  // shard is held.
  void NoteFieldExpiry(int database, const Key& key, Millis expiry);
  // The hashes with timed fields of one shard; null when the database never had any.
  TimedHashes* timed_hashes(int database, size_t shard) {
    TimedHashes* hashes = timed_[database].load(std::memory_order_acquire);
    return hashes == nullptr ? nullptr : hashes + shard;
  }
  void LowerEarliest(int database, size_t sweeper, Millis expiry) {
    std::atomic<Millis>& earliest = Earliest(database, sweeper);
    Millis seen = earliest.load(std::memory_order_relaxed);
    while (expiry < seen && !earliest.compare_exchange_weak(seen, expiry, std::memory_order_relaxed)) {
    }
  }
  std::atomic<Millis>& Earliest(int database, size_t sweeper) {
    return earliest_[static_cast<size_t>(database) * static_cast<size_t>(gate_.cores()) + sweeper];
  }

  // Where the next walk over some of a slot's keys begins (SlotTable::VisitSome). REQUIRES: Layout::kBySlot,
  // and the slot's shard is held.
  uint32_t& walk_of_slot(int slot) {
    return walks_[slot];
  }

  // With the world stopped.
  size_t Size(int database) const;
  size_t VolatileSize(int database) const;
  void Swap(int first, int second);
  // Moves the entries of a database of another keyspace here, which has the same hash key and layout and as
  // many databases, and which nobody else uses. Watchers of keys that come become dirty. REQUIRES: the
  // database is empty here.
  void TakeFrom(Keyspace& other, int database);
  // Takes all entries of a database out: the caller frees them (DropTables), perhaps on another thread.
  // Watchers of keys that existed become dirty.
  class Dropped;
  Dropped Detach(int database);
  // Bytes of buckets and directories of a database.
  size_t TableMemory(int database) const;

 private:
  static uint64_t WithSlot(uint64_t hash, std::string_view key);
  ShardTable* MakeTables(int database);
  TimedHashes& MakeTimedHashes(int database, size_t shard);

  const HashKey hash_key_;
  const Layout layout_;
  const size_t table_mask_;  // of a hash
  WorldGate gate_;
  std::unique_ptr<GuardedShard[]> shards_ = std::make_unique<GuardedShard[]>(kShards);
  std::vector<std::atomic<ShardTable*>> databases_;
  std::vector<std::atomic<TimedHashes*>> timed_;  // arrays of kShards, made when first used
  std::vector<std::atomic<Millis>> earliest_;     // by database and sweeper
  std::vector<uint32_t> walks_;                   // by slot; empty in Layout::kByHash
};

// The entries of a database that was emptied. Freed by the destructor, or piecewise with FreeSome.
class Keyspace::Dropped {
 public:
  Dropped() = default;
  Dropped(Dropped&&) = default;
  Dropped& operator=(Dropped&&) = default;
  ~Dropped() {
    while (FreeSome()) {
    }
  }
  size_t keys() const { return keys_; }
  // Frees the entries of one table; false when nothing is left.
  bool FreeSome();

 private:
  friend class Keyspace;
  std::vector<Table<Entry>> tables_;
  size_t keys_ = 0;
};

}  // namespace cinnabar::keyspace
