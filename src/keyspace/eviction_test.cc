// What eviction takes: with few keys all of them are drawn, so that the choice is exact.
#include "keyspace/eviction.h"

#include <gtest/gtest.h>

#include <set>

#include "keyspace/access_clock.h"
#include "keyspace/string_value.h"

namespace cinnabar::keyspace {
namespace {

using config::EvictionPolicy;

constexpr Millis kStart = 1'790'000'000'000;
constexpr AccessPolicy kLfu{.lfu = true, .special = true};

TEST(AccessClockTest, LruTellsApartWhatIsUsedWithinOneSecond) {
  const uint32_t early = FreshClock(kStart, {}), late = FreshClock(kStart + 40, {});
  EXPECT_GT(IdleTicks(early, kStart + 100), IdleTicks(late, kStart + 100));
  EXPECT_EQ(IdleSeconds(early, kStart + 100), 0u);
  EXPECT_EQ(IdleSeconds(early, kStart + 5'000), 5u);
}

TEST(AccessClockTest, IdleTimesOfManyDaysComeBack) {
  for (uint64_t seconds : {0u, 1u, 59u, 100'000u, 10'000'000u})
    EXPECT_EQ(IdleSeconds(ClockOfIdle(seconds, kStart), kStart), seconds);
}

TEST(AccessClockTest, AClockThatIsAheadCountsAsNow) {
  EXPECT_EQ(IdleTicks(FreshClock(kStart + 30, {}), kStart), 0u);
  const uint32_t next_minute = ClockOfFrequency(200, (kStart / 60'000 + 1) * 60'000);
  EXPECT_EQ(LfuCounter(next_minute, kStart, kLfu), 200);
  EXPECT_EQ(LfuIdleTicks(next_minute, kStart), 0u);
}

TEST(AccessClockTest, LfuLosesOneForEachMinute) {
  const uint32_t clock = ClockOfFrequency(100, kStart);
  EXPECT_EQ(LfuCounter(clock, kStart, kLfu), 100);
  EXPECT_EQ(LfuCounter(clock, kStart + 10 * 60'000, kLfu), 90);
  EXPECT_EQ(LfuCounter(clock, kStart + 200 * 60'000, kLfu), 0);
  EXPECT_EQ(LfuIdleTicks(clock, kStart + 60'000), uint64_t{1} << kClockFineBits);
}

class EvictionTest : public testing::TestWithParam<Layout> {
 protected:
  EvictionTest() : keyspace_(2, HashKey(1), 1, GetParam()), core_{.keyspace = keyspace_} {
    core_.SetNow(kStart);
  }

  void Put(std::string_view name, Millis expiry = kNever) {
    Database database(core_, 0);
    database.Create(keyspace_.KeyOf(name), {.bytes = "value"}, expiry);
  }
  void Use(std::string_view name) {
    Database database(core_, 0);
    ASSERT_TRUE(database.FindRead(keyspace_.KeyOf(name)));
  }
  // The names of the keys that go, in order, until none may.
  std::vector<std::string> EvictAll(EvictionPolicy policy, int64_t samples = 100) {
    std::vector<std::string> gone;
    while (auto candidate = pool_.Next(core_, policy, samples)) {
      Database database(core_, candidate->database);
      const Key key{candidate->name, candidate->hash};
      EntryRef entry = database.FindToChange(key, keyspace::Use::kSilent);
      if (!entry || !EvictionPool::StillDue(core_, *entry, *candidate, policy)) continue;
      gone.push_back(candidate->name);
      database.Erase(key, entry);
    }
    return gone;
  }

  Keyspace keyspace_;
  CoreState core_;
  EvictionPool pool_;
};

INSTANTIATE_TEST_SUITE_P(Layouts, EvictionTest, testing::Values(Layout::kByHash, Layout::kBySlot));

TEST_P(EvictionTest, LruTakesWhatHasRestedLongest) {
  for (const char* name : {"a", "b", "c", "d"}) {
    Put(name);
    core_.SetNow(core_.now + 50);
  }
  Use("b");
  EXPECT_EQ(EvictAll(EvictionPolicy::kAllKeysLru), (std::vector<std::string>{"a", "c", "d", "b"}));
}

TEST_P(EvictionTest, WhatWasUsedSinceItWasDrawnIsSpared) {
  for (const char* name : {"a", "b", "c"}) {
    Put(name);
    core_.SetNow(core_.now + 1000);
  }
  const auto candidate = pool_.Next(core_, EvictionPolicy::kAllKeysLru, 100);
  ASSERT_TRUE(candidate);
  EXPECT_EQ(candidate->name, "a");
  Use("a");
  Use("b");
  EXPECT_EQ(EvictAll(EvictionPolicy::kAllKeysLru)[0], "c");
}

TEST_P(EvictionTest, LfuTakesTheRarestAndOfEqualsTheOneThatHasRested) {
  core_.access.SetLfu(true);
  for (const char* name : {"often", "old", "young"}) {
    Put(name);
    core_.SetNow(core_.now + 2000);
  }
  for (int i = 0; i < 500; ++i) Use("often");
  EXPECT_EQ(EvictAll(EvictionPolicy::kAllKeysLfu), (std::vector<std::string>{"old", "young", "often"}));
}

TEST_P(EvictionTest, TtlTakesWhatEndsFirstAndVolatileSparesTheRest) {
  Put("stays");
  Put("late", kStart + 90'000);
  Put("early", kStart + 10'000);
  EXPECT_EQ(EvictAll(EvictionPolicy::kVolatileTtl), (std::vector<std::string>{"early", "late"}));
  EXPECT_TRUE(EvictAll(EvictionPolicy::kVolatileLru).empty());
  EXPECT_TRUE(EvictAll(EvictionPolicy::kNoEviction).empty());
  EXPECT_EQ(EvictAll(EvictionPolicy::kAllKeysRandom).size(), 1u);
}

TEST_P(EvictionTest, WhatExpiresNoMoreIsSpared) {
  Put("a", kStart + 10'000);
  Put("b", kStart + 20'000);
  ASSERT_TRUE(pool_.Next(core_, EvictionPolicy::kVolatileLru, 100));
  Database database(core_, 0);
  for (const char* name : {"a", "b"}) {
    const Key key = keyspace_.KeyOf(name);
    EntryRef entry = database.FindToChange(key, keyspace::Use::kSilent);
    database.SetExpiry(key, entry, kNever);
  }
  EXPECT_TRUE(EvictAll(EvictionPolicy::kVolatileLru).empty());
}

TEST_P(EvictionTest, EveryKeyIsFoundByEveryPolicy) {
  for (EvictionPolicy policy :
       {EvictionPolicy::kAllKeysLru, EvictionPolicy::kAllKeysLfu, EvictionPolicy::kAllKeysRandom,
        EvictionPolicy::kVolatileLru, EvictionPolicy::kVolatileLfu, EvictionPolicy::kVolatileRandom,
        EvictionPolicy::kVolatileTtl}) {
    for (int i = 0; i < 300; ++i) Put("key" + std::to_string(i), kStart + 1'000'000 + i);
    const std::vector<std::string> gone = EvictAll(policy, 5);
    EXPECT_EQ(std::set<std::string>(gone.begin(), gone.end()).size(), 300u);
  }
}

// A node has a part of the slots, and one of them has most of its keys.
TEST_P(EvictionTest, KeysOfFullSlotsGoAsOftenAsOthers) {
  constexpr int kTagged = 9000, kOthers = 1000, kRounds = 2000;
  int others = 0;
  for (int i = 0; i < kTagged; ++i) Put("{tag}" + std::to_string(i));
  for (int i = 0; others < kOthers; ++i) {
    const std::string name = "key" + std::to_string(i);
    if (KeySlot(name) >= kKeySlots / 3) continue;
    Put(name);
    ++others;
  }
  int tagged = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto candidate = pool_.Next(core_, EvictionPolicy::kAllKeysRandom, 5);
    ASSERT_TRUE(candidate);
    tagged += candidate->name.starts_with("{tag}");
  }
  EXPECT_NEAR(static_cast<double>(tagged) / kRounds, 0.9, 0.05);
}

}  // namespace
}  // namespace cinnabar::keyspace
