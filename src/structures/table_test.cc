#include "structures/table.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"

namespace cinnabar {
namespace {

struct Item {
  uint64_t key;
  uint64_t value;
};

uint64_t HashOfKey(uint64_t key) {
  static const HashKey hash_key(42);
  return HashBytes(std::string_view(reinterpret_cast<const char*>(&key), sizeof key), hash_key);
}
uint64_t HashOfItem(const Item& item) {
  return HashOfKey(item.key);
}

// The table and the naive model side by side.
class Pair {
 public:
  ~Pair() {
    for (auto& [key, item] : model_) delete item;
  }
  Table<Item>::Slot* Find(uint64_t key) {
    return table_.Find(HashOfKey(key), [key](const Item& item) { return item.key == key; });
  }
  void Put(uint64_t key, bool mark) {
    if (model_.contains(key)) return;
    Item* item = new Item{key, key * 3};
    model_[key] = item;
    table_.Insert(HashOfKey(key), item, mark, HashOfItem);
    marked_ += mark;
  }
  void Remove(uint64_t key) {
    auto* slot = Find(key);
    ASSERT_EQ(slot != nullptr, model_.contains(key));
    if (slot == nullptr) return;
    marked_ -= slot->marked();
    Item* item = table_.Erase(HashOfKey(key), slot);
    EXPECT_EQ(item, model_[key]);
    model_.erase(key);
    delete item;
  }
  void Check() {
    ASSERT_EQ(table_.size(), model_.size());
    ASSERT_EQ(table_.marked(), marked_);
    for (auto& [key, item] : model_) {
      auto* slot = Find(key);
      ASSERT_NE(slot, nullptr);
      ASSERT_EQ(slot->entry<Item>(), item);
    }
  }

  Table<Item> table_;
  std::unordered_map<uint64_t, Item*> model_;
  size_t marked_ = 0;
};

TEST(Table, AgreesWithAModelUnderRandomChanges) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Pair pair;
    const uint64_t keys = 1 + random() % 5000;
    for (int step = 0; step < 40000; ++step) {
      uint64_t key = random() % keys;
      // Waves of mostly inserts and mostly erases, so that the table grows and shrinks.
      bool insert = random() % 100 < ((step / 8000) % 2 == 0 ? 80u : 20u);
      if (insert) {
        pair.Put(key, random() % 4 == 0);
      } else {
        pair.Remove(key);
      }
    }
    pair.Check();
  }
}

TEST(Table, ScanReturnsEveryKeyThatStaysWhateverHappensBetween) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Pair pair;
    const uint64_t stay = 1 + random() % 2000;
    for (uint64_t key = 0; key < stay; ++key) pair.Put(key, false);
    std::set<uint64_t> seen;
    uint64_t cursor = 0, passing = 1000000;
    bool growing = random() % 2 == 0;
    do {
      cursor = pair.table_.Scan(cursor, [&](TableSlot& slot) { seen.insert(slot.entry<Item>()->key); });
      for (int i = 0; i < 40; ++i) {
        if (growing) {
          pair.Put(passing++, false);
        } else if (passing > 1000000) {
          pair.Remove(--passing);
        }
      }
      if (random() % 50 == 0) growing = !growing;
      if (pair.model_.size() > 60000) growing = false;
    } while (cursor != 0);
    for (uint64_t key = 0; key < stay; ++key) ASSERT_TRUE(seen.contains(key)) << key;
    pair.Check();
  }
}

TEST(Table, ScanOfAQuietTableReturnsEachKeyOnce) {
  for (size_t count : {0u, 1u, 6u, 7u, 13u, 100u, 1000u, 4097u}) {
    Pair pair;
    for (uint64_t key = 0; key < count; ++key) pair.Put(key, false);
    size_t visits = 0;
    uint64_t cursor = 0;
    do {
      cursor = pair.table_.Scan(cursor, [&](TableSlot&) { ++visits; });
    } while (cursor != 0);
    EXPECT_EQ(visits, count);
  }
}

TEST(Table, TakingSomeAgainAndAgainReadsEveryBucketAFewTimes) {
  Pair pair;
  constexpr uint64_t kKeys = 50'000;
  for (uint64_t key = 0; key < kKeys; ++key) pair.Put(key, false);
  const size_t buckets = pair.table_.bucket_count();
  size_t read = 0;
  uint32_t from = 0;
  for (uint64_t taken = 0; taken < kKeys; taken += 10) {
    std::vector<uint64_t> some;
    read += pair.table_.VisitSome(from, [&](const TableSlot& slot) {
      some.push_back(slot.entry<const Item>()->key);
      return some.size() < 10;
    });
    ASSERT_EQ(some.size(), 10u);
    for (uint64_t key : some) pair.Remove(key);
    // What comes in between is found as well.
    if (taken < 1000) pair.Put(kKeys + taken, false);
  }
  EXPECT_EQ(pair.table_.size(), 100u);
  EXPECT_LT(read, 4 * buckets);
}

TEST(Table, SampleIsFair) {
  Pair pair;
  constexpr int kKeys = 200, kDraws = 200000;
  for (uint64_t key = 0; key < kKeys; ++key) pair.Put(key, false);
  std::mt19937_64 random(7);
  std::vector<int> hits(kKeys);
  for (int i = 0; i < kDraws; ++i) {
    ++hits[pair.table_.Sample([&](uint64_t n) { return random() % n; })->entry<Item>()->key];
  }
  // Mean 1000, standard deviation about 32: six deviations to either side.
  for (int count : hits) EXPECT_NEAR(count, kDraws / kKeys, 200);
}

TEST(Table, MemoryPerEntryIsTheSameAtEverySize) {
  Pair pair;
  uint64_t key = 0;
  for (size_t size : {20000u, 30000u, 45000u, 60000u}) {
    while (pair.table_.size() < size) pair.Put(key++, false);
    EXPECT_LT(static_cast<double>(pair.table_.memory()) / size, 13.5);
  }
}

}  // namespace
}  // namespace cinnabar
