#include "types/set.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace cinnabar::types {
namespace {

uint64_t Seed() {
  const char* fixed = std::getenv("CINNABAR_SET_SEED");
  const uint64_t seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device()();
  std::printf("CINNABAR_SET_SEED=%llu repeats this run\n", static_cast<unsigned long long>(seed));
  return seed;
}

std::string_view EncodingOf(Holder& holder) {
  return holder.packed() ? PackedEncoding(Type::kSet, holder.view()) : holder.object()->encoding();
}

std::set<std::string> Members(Set& set) {
  std::set<std::string> all;
  set.ForEach([&](std::string_view member) { EXPECT_TRUE(all.emplace(member).second) << member; });
  return all;
}

std::string RandomMember(std::mt19937_64& random, int kind, uint64_t range) {
  const uint64_t number = random() % range;
  switch (kind) {
    case 0:
      return std::to_string(static_cast<int64_t>(number) - static_cast<int64_t>(range / 2));
    case 1:
      return "m" + std::to_string(number);
    case 2:
      return std::string(number % 12, 'x') + std::string(number % 7, '\0');
    default:
      return std::string(240 + number % 30, static_cast<char>('a' + number % 20));
  }
}

TEST(Set, AgreesWithAModelUnderRandomChanges) {
  const uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    OwnHolder holder(random() % 2 == 0 ? intset::kEmpty : listpack::kEmpty);
    Set set(holder);
    std::set<std::string> model;
    const SetLimits limits{static_cast<int64_t>(random() % 200),
                           {static_cast<int64_t>(random() % 150), static_cast<int64_t>(random() % 100)}};
    const uint64_t range = 1 + random() % 3000;
    const int kinds = 1 + static_cast<int>(random() % 4);
    Random draws(random());
    for (int step = 0; step < 3000; ++step) {
      const std::string member = RandomMember(random, static_cast<int>(random() % kinds), range);
      ASSERT_EQ(set.Contains(member), model.contains(member)) << member;
      const bool growing = step / 1000 % 2 == 0;
      if (random() % 10 < (growing ? 7u : 3u)) {
        ASSERT_EQ(set.Add(member, limits), model.insert(member).second) << member;
      } else if (random() % 4 != 0 || model.empty()) {
        ASSERT_EQ(set.Remove(member), model.erase(member) == 1) << member;
      } else {
        set.Pop(draws, [&](std::string_view gone) { EXPECT_EQ(model.erase(std::string(gone)), 1u); });
      }
      ASSERT_EQ(set.size(), model.size());
    }
    ASSERT_EQ(Members(set), model);
    if (holder.packed()) continue;
    OwnHolder copy(holder.object()->Clone());
    Set cloned(copy);
    ASSERT_EQ(Members(cloned), model);
    ASSERT_EQ(cloned.size(), model.size());
    for (const std::string& member : model) ASSERT_TRUE(set.Remove(member));
    ASSERT_EQ(set.size(), 0u);
    ASSERT_EQ(Members(cloned), model);
  }
}

TEST(Set, ChangesItsFormAsRedisDoes) {
  const SetLimits limits{4, {6, 8}};
  OwnHolder numbers(intset::kEmpty);
  Set set(numbers);
  for (int i = 0; i < 4; ++i) set.Add(std::to_string(i), limits);
  EXPECT_EQ(EncodingOf(numbers), "intset");
  set.Add("4", limits);
  EXPECT_EQ(EncodingOf(numbers), "hashtable");
  EXPECT_EQ(Members(set), (std::set<std::string>{"0", "1", "2", "3", "4"}));

  OwnHolder mixed(intset::kEmpty);
  Set other(mixed);
  for (const char* member : {"1", "2", "3", "x"}) other.Add(member, limits);
  EXPECT_EQ(EncodingOf(mixed), "listpack");
  other.Add("12345678", limits);
  EXPECT_EQ(EncodingOf(mixed), "listpack");
  other.Add("123456789", limits);
  EXPECT_EQ(EncodingOf(mixed), "hashtable");

  OwnHolder wide(intset::kEmpty);
  Set third(wide);
  third.Add("123456789", limits);
  third.Add("x", limits);
  EXPECT_EQ(EncodingOf(wide), "hashtable");
}

TEST(Set, PackedBytesStayWithinTheirBoundWhateverTheLimits) {
  const SetLimits limits{1 << 20, {1 << 20, 1 << 20}};
  OwnHolder narrow(intset::kEmpty);
  Set numbers(narrow);
  for (int i = 0; i < 10000; ++i) numbers.Add(std::to_string(i), limits);
  EXPECT_EQ(EncodingOf(narrow), "intset");
  numbers.Add("9223372036854775807", limits);
  EXPECT_EQ(EncodingOf(narrow), "hashtable");
  EXPECT_EQ(numbers.size(), 10001u);

  OwnHolder mixed(intset::kEmpty);
  Set both(mixed);
  for (int i = 0; i < 5000; ++i) both.Add(std::to_string(i), limits);
  both.Add("x", limits);
  EXPECT_TRUE(!mixed.packed() || mixed.size() <= kPackedBytesMax);
  EXPECT_EQ(both.size(), 5001u);

  OwnHolder strings(listpack::kEmpty);
  Set texts(strings);
  for (int i = 0; i < 5000; ++i) {
    texts.Add("member " + std::to_string(i), limits);
    ASSERT_TRUE(!strings.packed() || strings.size() <= kPackedBytesMax);
  }
  EXPECT_EQ(texts.size(), 5000u);
  EXPECT_TRUE(texts.Add(std::string(1 << 20, 'x'), limits));
}

// Draws `draws` times and checks that every member came about equally often.
template <typename DrawSome>
void ExpectFair(size_t members, size_t expected_draws, DrawSome&& draw_some) {
  std::map<std::string, size_t> hits;
  size_t total = 0;
  while (total < expected_draws) {
    draw_some([&](std::string_view member) {
      ++hits[std::string(member)];
      ++total;
    });
  }
  const double mean = static_cast<double>(total) / static_cast<double>(members);
  EXPECT_EQ(hits.size(), members);
  for (const auto& [member, count] : hits) {
    EXPECT_NEAR(static_cast<double>(count), mean, 7 * std::sqrt(mean)) << member;
  }
}

TEST(Set, DrawsAreFairInEveryForm) {
  const uint64_t seed = Seed();
  Random random(seed);
  for (size_t members : {1u, 7u, 100u, 1000u}) {
    for (const char* prefix : {"", "m", "a longer member "}) {
      OwnHolder holder(intset::kEmpty);
      Set set(holder);
      for (size_t i = 0; i < members; ++i) set.Add(prefix + std::to_string(i), SetLimits{});
      ExpectFair(members, members * 300, [&](auto hit) { set.Draw(1, random, hit); });
      ExpectFair(members, members * 300, [&](auto hit) { set.Draw(50, random, hit); });
      const uint64_t few = (members + 9) / 10, many = (members * 2 + 2) / 3;
      ExpectFair(members, members * 300, [&](auto hit) { set.DrawDistinct(few, random, hit); });
      ExpectFair(members, members * 300, [&](auto hit) { set.DrawDistinct(many, random, hit); });
      std::set<std::string> distinct;
      set.DrawDistinct(many, random, [&](std::string_view m) { EXPECT_TRUE(distinct.emplace(m).second); });
      EXPECT_EQ(distinct.size(), many);
    }
  }
}

TEST(Set, ScanReturnsWhatStaysWhateverChangesBetween) {
  const uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    OwnHolder holder(std::make_unique<LargeSet>());
    Set set(holder);
    const uint64_t stay = 1 + random() % 2000;
    for (uint64_t i = 0; i < stay; ++i) set.Add("stay" + std::to_string(i), SetLimits{});
    std::set<std::string> seen;
    uint64_t cursor = 0, passing = 0;
    bool growing = random() % 2 == 0;
    do {
      cursor = set.Scan(cursor, [&](std::string_view member) { seen.emplace(member); });
      for (int i = 0; i < 40; ++i) {
        if (growing) {
          set.Add(std::to_string(passing++), SetLimits{});
        } else if (passing > 0) {
          set.Remove(std::to_string(--passing));
        }
      }
      if (random() % 50 == 0) growing = !growing;
      if (set.size() > 30000) growing = false;
    } while (cursor != 0);
    for (uint64_t i = 0; i < stay; ++i) ASSERT_TRUE(seen.contains("stay" + std::to_string(i)));
  }
}

TEST(Set, ALargeSetCostsLittleBesidesItsMembers) {
  OwnHolder holder(std::make_unique<LargeSet>());
  Set set(holder);
  for (int i = 0; i < 100000; ++i) set.Add("member-" + std::to_string(100000000 + i), SetLimits{});
  EXPECT_LT(static_cast<double>(holder.object()->memory(0)) / 100000, 16 + 13.5);
}

}  // namespace
}  // namespace cinnabar::types
