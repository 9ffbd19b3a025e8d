// A keyspace with a table for each hash slot.
#include "keyspace/slot_keys.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "keyspace/database.h"
#include "keyspace/string_value.h"
#include "os/allocator.h"

namespace cinnabar::keyspace {
namespace {

TEST(SlotLayout, TheTableOfAKeyIsThatOfItsSlot) {
  const Keyspace keyspace(1, HashKey(3), 1, Layout::kBySlot);
  ASSERT_EQ(keyspace.tables(), size_t{kKeySlots});
  Random random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string name = "key:" + std::to_string(random.Next());
    if (random.OneIn(3)) name = "{tag" + std::to_string(random.Uniform(100)) + "}" + name;
    const uint64_t hash = keyspace.HashOf(name);
    const int slot = KeySlot(name);
    ASSERT_EQ(Keyspace::SlotOf(hash), slot);
    ASSERT_EQ(keyspace.TableOf(hash), Keyspace::TableOfSlot(slot));
    ASSERT_EQ(Keyspace::ShardOf(hash), static_cast<size_t>(slot) / 16);
    ASSERT_EQ(Keyspace::ShardOfTable(keyspace.TableOf(hash)), Keyspace::ShardOf(hash));
  }
}

TEST(SlotLayout, EverySlotHasATableOfItsOwn) {
  std::set<size_t> seen;
  for (int slot = 0; slot < kKeySlots; ++slot) {
    seen.insert(Keyspace::TableOfSlot(slot));
    ASSERT_EQ(Keyspace::SlotOf(Keyspace::TableOfSlot(slot)), slot);
  }
  EXPECT_EQ(seen.size(), size_t{kKeySlots});
  EXPECT_EQ(*seen.rbegin(), size_t{kKeySlots} - 1);
}

TEST(SlotLayout, ElsewhereHashesChooseTheTable) {
  const Keyspace keyspace(1, HashKey(3), 1);
  EXPECT_EQ(keyspace.tables(), Keyspace::kShards);
  EXPECT_NE(keyspace.HashOf("{tag}a"), keyspace.HashOf("{tag}b"));
  EXPECT_EQ(keyspace.HashOf("k"), HashBytes("k", HashKey(3)));
}

class SlotKeysTest : public testing::Test {
 protected:
  void Put(const std::string& name, Millis expiry = kNever) {
    Database(core_, 0).Create(keyspace_.KeyOf(name), StringPayload("v"), expiry);
  }

  Keyspace keyspace_{2, HashKey(7), 1, Layout::kBySlot};
  CoreState core_{.keyspace = keyspace_};
};

TEST_F(SlotKeysTest, KeysAreCountedAndNamedBySlot) {
  EXPECT_EQ(CountKeysInSlot(keyspace_, 0, 0), 0u);
  EXPECT_TRUE(KeysInSlot(keyspace_, 0, 0, 10).empty());
  std::map<int, std::set<std::string>> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "{" + std::to_string(i % 300) + "}" + std::to_string(i);
    Put(name);
    expected[KeySlot(name)].insert(name);
  }
  for (int slot = 0; slot < kKeySlots; ++slot) {
    const auto names = KeysInSlot(keyspace_, 0, slot, 1000);
    ASSERT_EQ(std::set<std::string>(names.begin(), names.end()), expected[slot]);
    ASSERT_EQ(CountKeysInSlot(keyspace_, 0, slot), expected[slot].size());
  }
  const int slot = KeySlot("7");
  EXPECT_EQ(KeysInSlot(keyspace_, 0, slot, 0).size(), 0u);
  EXPECT_EQ(KeysInSlot(keyspace_, 0, slot, 3).size(), 3u);
  EXPECT_EQ(CountKeysInSlot(keyspace_, 1, slot), 0u);
}

TEST_F(SlotKeysTest, WhatHasExpiredCountsUntilItIsRemoved) {
  Put("k", 10);
  core_.SetNow(20);
  EXPECT_EQ(CountKeysInSlot(keyspace_, 0, KeySlot("k")), 1u);
  EXPECT_FALSE(Database(core_, 0).Peek(keyspace_.KeyOf("k")));
  EXPECT_EQ(CountKeysInSlot(keyspace_, 0, KeySlot("k")), 0u);
}

TEST_F(SlotKeysTest, ASlotIsTakenOutAlone) {
  for (int i = 0; i < 500; ++i) Put("{a}" + std::to_string(i));
  for (int i = 0; i < 500; ++i) Put("{b}" + std::to_string(i), 1000);
  Table<Entry> taken = TakeSlot(keyspace_, 0, KeySlot("b"));
  EXPECT_EQ(taken.size(), 500u);
  EXPECT_EQ(keyspace_.Size(0), 500u);
  EXPECT_EQ(keyspace_.VolatileSize(0), 0u);
  EXPECT_EQ(CountKeysInSlot(keyspace_, 0, KeySlot("b")), 0u);
  for (size_t bucket = 0; bucket < taken.bucket_count(); ++bucket)
    taken.VisitBucket(bucket, [](TableSlot& slot) { Entry::Destroy(slot.entry<Entry>()); });
  Put("{b}0");
  EXPECT_TRUE(Database(core_, 0).Peek(keyspace_.KeyOf("{b}0")));
}

TEST_F(SlotKeysTest, AnotherKeyspaceOfTheSameLayoutIsTakenOver) {
  Keyspace other(2, HashKey(7), 1, Layout::kBySlot);
  CoreState core{.keyspace = other};
  for (int i = 0; i < 1000; ++i)
    Database(core, 0).Create(other.KeyOf(std::to_string(i)), StringPayload("v"), 1000 + i);
  keyspace_.TakeFrom(other, 0);
  EXPECT_EQ(keyspace_.Size(0), 1000u);
  EXPECT_EQ(other.Size(0), 0u);
  EXPECT_EQ(keyspace_.Earliest(0, 0), 1000);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Database(core_, 0).Peek(keyspace_.KeyOf(std::to_string(i))));
}

// Bytes per key, of keys of 16 bytes with small values. Gives 0 where the allocator is not that of the
// server.
double MemoryPerKey(Layout layout) {
  constexpr int kKeys = 1'000'000;
  if (os::AllocatorName() == "libc") return 0;
  os::MemoryMeter meter;
  os::ThreadMemory here(meter);
  const uint64_t before = meter.Used();
  Keyspace keyspace(1, HashKey(7), 1, layout);
  CoreState core{.keyspace = keyspace};
  char name[17];
  for (int i = 0; i < kKeys; ++i) {
    snprintf(name, sizeof name, "key:%012d", i);
    Database(core, 0).Create(keyspace.KeyOf(name), StringPayload("value"));
  }
  return static_cast<double>(meter.Used() - before) / kKeys;
}

// Sixteen times as many tables, which are small.
TEST(SlotLayout, AKeyTakesHardlyMoreMemory) {
  const double by_hash = MemoryPerKey(Layout::kByHash), by_slot = MemoryPerKey(Layout::kBySlot);
  RecordProperty("bytes_by_hash", std::to_string(by_hash));
  RecordProperty("bytes_by_slot", std::to_string(by_slot));
  EXPECT_LE(by_slot, by_hash + 4) << by_hash;
}

}  // namespace
}  // namespace cinnabar::keyspace
