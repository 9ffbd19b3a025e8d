#include "keyspace/keyspace.h"

#include <algorithm>

#include "base/check.h"

namespace cinnabar::keyspace {
namespace {

void FreeEntries(Table<Entry>& table) {
  for (size_t i = 0; i < table.bucket_count(); ++i) {
    table.VisitBucket(i, [](TableSlot& slot) { Prefetch(slot.entry<Entry>()); });
    table.VisitBucket(i, [](TableSlot& slot) { Entry::Destroy(slot.entry<Entry>()); });
  }
  table = Table<Entry>();
}

// Marks the watchers of keys of `watched` that exist in `tables`.
void TouchWatchers(Keyspace& keyspace, ShardTable& watched, ShardTable& table) {
  if (watched.watches == nullptr) return;
  for (auto& [name, watchers] : *watched.watches) {
    std::string_view wanted = name;
    TableSlot* slot =
        table.entries.Find(keyspace.HashOf(name), [&](const Entry& e) { return e.key() == wanted; });
    if (slot == nullptr) continue;
    for (Watcher* watcher : watchers) watcher->dirty = true;
  }
}

}  // namespace

Keyspace::Keyspace(int databases, const HashKey& hash_key, int cores, Layout layout)
    : hash_key_(hash_key),
      layout_(layout),
      table_mask_((layout == Layout::kBySlot ? size_t{kKeySlots} : kShards) - 1),
      gate_(cores),
      databases_(databases),
      timed_(static_cast<size_t>(databases)),
      earliest_(static_cast<size_t>(databases) * static_cast<size_t>(cores)),
      walks_(layout == Layout::kBySlot ? kKeySlots : 0) {
  for (auto& earliest : earliest_) earliest.store(kNever, std::memory_order_relaxed);
}

Keyspace::~Keyspace() {
  for (auto& database : databases_) {
    ShardTable* tables = database.load();
    if (tables == nullptr) continue;
    for (size_t table = 0; table < this->tables(); ++table) FreeEntries(tables[table].entries);
    delete[] tables;
  }
  for (auto& hashes : timed_) delete[] hashes.load();
}

uint64_t Keyspace::WithSlot(uint64_t hash, std::string_view key) {
  constexpr uint64_t kTableBits = (uint64_t{1} << Table<Entry>::kHashSkip) - 1;
  return (hash & ~kTableBits) | TableOfSlot(KeySlot(key));
}

ShardTable* Keyspace::MakeTables(int database) {
  auto* fresh = new ShardTable[tables()];
  ShardTable* expected = nullptr;
  if (databases_[database].compare_exchange_strong(expected, fresh, std::memory_order_acq_rel)) return fresh;
  delete[] fresh;
  return expected;
}

TimedHashes& Keyspace::MakeTimedHashes(int database, size_t shard) {
  if (TimedHashes* hashes = timed_hashes(database, shard)) return *hashes;
  auto* fresh = new TimedHashes[kShards];
  TimedHashes* expected = nullptr;
  if (timed_[database].compare_exchange_strong(expected, fresh, std::memory_order_acq_rel))
    return fresh[shard];
  delete[] fresh;
  return expected[shard];
}

void Keyspace::NoteFieldExpiry(int database, const Key& key, Millis expiry) {
  const size_t shard = ShardOf(key.hash);
  MakeTimedHashes(database, shard).Note(key.bytes, expiry);
  NoteExpiry(database, shard, expiry);
}

void Keyspace::LockAll() {
  for (size_t shard = 0; shard < kShards; ++shard) {
    Lock(shard);
    MarkLong(shard);
  }
}

void Keyspace::UnlockAll() {
  for (size_t shard = 0; shard < kShards; ++shard) Unlock(shard);
}

void Keyspace::Watch(int database, const Key& key, Watcher& watcher) {
  ShardTable& shard = table(database, TableOf(key.hash));
  if (shard.watches == nullptr) shard.watches = std::make_unique<WatchList>();
  (*shard.watches)[std::string(key.bytes)].push_back(&watcher);
}

void Keyspace::Unwatch(int database, const Key& key, Watcher& watcher) {
  ShardTable& shard = table(database, TableOf(key.hash));
  if (shard.watches == nullptr) return;
  auto found = shard.watches->find(std::string(key.bytes));
  if (found == shard.watches->end()) return;
  std::erase(found->second, &watcher);
  if (found->second.empty()) shard.watches->erase(found);
  if (shard.watches->empty()) shard.watches.reset();
}

void Keyspace::Await(int database, const Key& key, std::shared_ptr<Waiter> waiter) {
  ShardTable& shard = table(database, TableOf(key.hash));
  if (shard.waits == nullptr) shard.waits = std::make_unique<WaitQueues>();
  (*shard.waits)[std::string(key.bytes)].push_back(std::move(waiter));
}

void Keyspace::StopAwaiting(int database, const Key& key, const Waiter& waiter) {
  ShardTable& shard = table(database, TableOf(key.hash));
  if (shard.waits == nullptr) return;
  auto found = shard.waits->find(std::string(key.bytes));
  if (found == shard.waits->end()) return;
  std::erase_if(found->second, [&](const auto& queued) { return queued.get() == &waiter; });
  if (found->second.empty()) shard.waits->erase(found);
  if (shard.waits->empty()) shard.waits.reset();
}

WaitQueue* Keyspace::FindQueue(int database, const Key& key) {
  ShardTable& shard = table(database, TableOf(key.hash));
  if (shard.waits == nullptr) return nullptr;
  auto found = shard.waits->find(std::string(key.bytes));
  return found == shard.waits->end() ? nullptr : &found->second;
}

size_t Keyspace::Size(int database) const {
  const ShardTable* first = tables_if_any(database);
  size_t sum = 0;
  for (size_t table = 0; first != nullptr && table < tables(); ++table) sum += first[table].entries.size();
  return sum;
}

size_t Keyspace::VolatileSize(int database) const {
  const ShardTable* first = tables_if_any(database);
  size_t sum = 0;
  for (size_t table = 0; first != nullptr && table < tables(); ++table) sum += first[table].entries.marked();
  return sum;
}

size_t Keyspace::TableMemory(int database) const {
  const ShardTable* first = tables_if_any(database);
  if (first == nullptr) return 0;
  size_t sum = tables() * sizeof(ShardTable);
  for (size_t table = 0; table < tables(); ++table) sum += first[table].entries.memory();
  return sum;
}

void Keyspace::Swap(int first, int second) {
  if (first == second) return;
  for (size_t number = 0; number < tables(); ++number) {
    ShardTable& a = table(first, number);
    ShardTable& b = table(second, number);
    // A watched name changes if it exists on either side of the exchange.
    TouchWatchers(*this, a, a);
    TouchWatchers(*this, a, b);
    TouchWatchers(*this, b, a);
    TouchWatchers(*this, b, b);
    std::swap(a.entries, b.entries);
    std::swap(a.next_expiry, b.next_expiry);
  }
  // Exchanging the arrays is exchanging what they hold.
  TimedHashes* timed = timed_[first].load();
  timed_[first] = timed_[second].load();
  timed_[second] = timed;
  for (size_t sweeper = 0; sweeper < static_cast<size_t>(gate_.cores()); ++sweeper) {
    const Millis lower = std::min(Earliest(first, sweeper).load(), Earliest(second, sweeper).load());
    Earliest(first, sweeper) = Earliest(second, sweeper) = lower;
  }
}

void Keyspace::TakeFrom(Keyspace& other, int database) {
  CHECK(other.layout_ == layout_);
  if (other.tables_if_any(database) == nullptr) return;
  for (size_t number = 0; number < tables(); ++number) {
    ShardTable& to = table(database, number);
    ShardTable& from = other.table(database, number);
    std::swap(to.entries, from.entries);
    std::swap(to.next_expiry, from.next_expiry);
    TouchWatchers(*this, to, to);
  }
  timed_[database] = other.timed_[database].exchange(timed_[database].load());
  for (size_t sweeper = 0; sweeper < static_cast<size_t>(gate_.cores()); ++sweeper) {
    LowerEarliest(database, sweeper, other.Earliest(database, sweeper).load());
  }
}

Keyspace::Dropped Keyspace::Detach(int database) {
  Dropped dropped;
  ShardTable* first = tables_if_any(database);
  if (first == nullptr) return dropped;
  dropped.tables_.reserve(tables());
  for (size_t number = 0; number < tables(); ++number) {
    ShardTable& table = first[number];
    table.next_expiry = kNever;
    if (table.entries.size() == 0) continue;
    TouchWatchers(*this, table, table);
    dropped.keys_ += table.entries.size();
    dropped.tables_.push_back(std::move(table.entries));
    table.entries = Table<Entry>();
  }
  delete[] timed_[database].exchange(nullptr);
  return dropped;
}

bool Keyspace::Dropped::FreeSome() {
  if (tables_.empty()) return false;
  FreeEntries(tables_.back());
  tables_.pop_back();
  return !tables_.empty();
}

}  // namespace cinnabar::keyspace
