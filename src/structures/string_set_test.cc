#include "structures/string_set.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unordered_set>

namespace cinnabar {
namespace {

// Lengths around every limit of the slot: what fits into it, and what its length field can say.
std::string MemberOf(uint64_t number) {
  constexpr size_t kLengths[] = {0, 1, 5, 6, 7, 8, 15, 16, 17, 253, 254, 255, 256, 1000};
  std::string member = std::to_string(number * 2654435761u);
  member.resize(kLengths[number % std::size(kLengths)], static_cast<char>(number / std::size(kLengths)));
  return member;
}

TEST(StringSet, AgreesWithAModelUnderRandomChanges) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 6; ++round) {
    StringSet set(random());
    std::unordered_set<std::string> model;
    const uint64_t range = 1 + random() % 20000;
    for (int step = 0; step < 40000; ++step) {
      const std::string member = MemberOf(random() % range);
      ASSERT_EQ(set.Contains(member), model.contains(member));
      // Waves of mostly inserts and mostly erases, so that the table grows and shrinks.
      if (random() % 10 < (step / 10000 % 2 == 0 ? 8u : 2u)) {
        ASSERT_EQ(set.Insert(member), model.insert(member).second);
      } else {
        ASSERT_EQ(set.Erase(member), model.erase(member) == 1);
      }
    }
    ASSERT_EQ(set.size(), model.size());
    size_t visited = 0;
    set.ForEach([&](std::string_view member) {
      EXPECT_TRUE(model.contains(std::string(member)));
      ++visited;
      return true;
    });
    ASSERT_EQ(visited, model.size());
    while (set.size() > 0) {
      const MemberSlot& slot = set.Sample([&](uint64_t n) { return random() % n; });
      ASSERT_EQ(model.erase(std::string(slot.member())), 1u);
      set.EraseSampled(slot);
    }
    EXPECT_LT(set.memory(), 200u);
  }
}

TEST(StringSet, AMemberCostsItsBytesAndASlot) {
  constexpr size_t kMembers = 100000;
  for (const auto& [length, allowed] : {std::pair<size_t, double>{6, 13.5}, {16, 29.5}, {32, 45.5}}) {
    StringSet set(1);
    for (size_t i = 0; i < kMembers; ++i) {
      std::string member = std::to_string(i);
      member.resize(length, '-');
      set.Insert(member);
    }
    EXPECT_LT(static_cast<double>(set.memory()) / kMembers, allowed);
  }
}

TEST(StringSet, ReservedRoomIsUsed) {
  StringSet set(1);
  set.Reserve(1000);
  const size_t before = set.memory();
  for (int i = 0; i < 1000; ++i) set.InsertNew(std::to_string(i));
  EXPECT_LT(set.memory(), before * 3 / 2);  // overflow buckets alone
  EXPECT_TRUE(set.Contains("999"));
}

}  // namespace
}  // namespace cinnabar
