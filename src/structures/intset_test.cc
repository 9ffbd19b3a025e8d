#include "structures/intset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <string>

namespace cinnabar {
namespace {

using Model = std::set<int64_t>;

void ExpectHolds(std::string_view set, const Model& model) {
  ASSERT_TRUE(intset::Valid(set));
  ASSERT_EQ(intset::Count(set), model.size());
  size_t index = 0;
  for (const int64_t number : model) ASSERT_EQ(intset::At(set, index++), number);
}

uint64_t SeedOfRun() {
  const char* given = std::getenv("CINNABAR_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

TEST(Intset, DoesWhatASetDoes) {
  const uint64_t seed = SeedOfRun();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    HeapBytes set{intset::kEmpty};
    Model model;
    // Wider and wider numbers, so that every width is entered with numbers present.
    const int widest = 4 + static_cast<int>(random() % 60);
    for (int step = 0; step < 500; ++step) {
      const int bits = 1 + std::min(step / 8, widest - 1);
      const int64_t number = static_cast<int64_t>(random()) >> (64 - bits);
      ASSERT_EQ(intset::Contains(set.view(), number), model.contains(number));
      if (random() % 3 != 0) {
        ASSERT_EQ(intset::Insert(set, number), model.insert(number).second);
      } else if (random() % 8 != 0) {
        const int64_t gone =
            random() % 2 == 0 || model.empty() ? number : intset::At(set.view(), random() % model.size());
        ASSERT_EQ(intset::Erase(set, gone), model.erase(gone) == 1);
      } else {
        const size_t from = random() % (model.size() + 1);
        const size_t count = random() % (std::min<size_t>(model.size() - from, 12) + 1);
        intset::EraseRange(set, from, count);
        const auto begin = std::next(model.begin(), static_cast<ptrdiff_t>(from));
        model.erase(begin, std::next(begin, static_cast<ptrdiff_t>(count)));
      }
      ASSERT_NO_FATAL_FAILURE(ExpectHolds(set.view(), model));
    }
  }
}

// What DUMP of redis-server 7.0.15 holds.
TEST(Intset, BytesAreThoseOfRedis) {
  HeapBytes set{intset::kEmpty};
  for (const int64_t number : {1, -2, 3}) intset::Insert(set, number);
  EXPECT_EQ(set.view(), std::string_view("\2\0\0\0\3\0\0\0\xfe\xff\1\0\3\0", 14));
  intset::Insert(set, 40000);
  EXPECT_EQ(set.view(), std::string_view("\4\0\0\0\4\0\0\0\xfe\xff\xff\xff\1\0\0\0\3\0\0\0\x40\x9c\0\0", 24));
  intset::Insert(set, -5000000000);
  EXPECT_EQ(set.view(), std::string_view("\x08\0\0\0\5\0\0\0"
                                         "\0\x0e\xfa\xd5\xfe\xff\xff\xff"
                                         "\xfe\xff\xff\xff\xff\xff\xff\xff"
                                         "\1\0\0\0\0\0\0\0"
                                         "\3\0\0\0\0\0\0\0"
                                         "\x40\x9c\0\0\0\0\0\0",
                                         48));
}

TEST(Intset, LimitsOfTheWidths) {
  const auto width_with = [](int64_t number) {
    HeapBytes set{intset::kEmpty};
    intset::Insert(set, number);
    EXPECT_TRUE(intset::Contains(set.view(), number));
    return set.size() - intset::kEmpty.size();
  };
  EXPECT_EQ(width_with(32767), 2u);
  EXPECT_EQ(width_with(-32768), 2u);
  EXPECT_EQ(width_with(32768), 4u);
  EXPECT_EQ(width_with(-32769), 4u);
  EXPECT_EQ(width_with(2147483647), 4u);
  EXPECT_EQ(width_with(-2147483648), 4u);
  EXPECT_EQ(width_with(2147483648), 8u);
  EXPECT_EQ(width_with(-2147483649), 8u);
  EXPECT_EQ(width_with(std::numeric_limits<int64_t>::max()), 8u);
  EXPECT_EQ(width_with(std::numeric_limits<int64_t>::min()), 8u);
}

TEST(Intset, BrokenBytesAreRefused) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(intset::Valid(intset::kEmpty));
  EXPECT_TRUE(intset::Valid("\2\0\0\0\2\0\0\0\1\0\2\0"sv));
  EXPECT_FALSE(intset::Valid(""sv));
  EXPECT_FALSE(intset::Valid("\2\0\0\0\0\0\0"sv));
  EXPECT_FALSE(intset::Valid("\3\0\0\0\0\0\0\0"sv)) << "no such width";
  EXPECT_FALSE(intset::Valid("\2\0\0\0\2\0\0\0\1\0\2"sv)) << "short";
  EXPECT_FALSE(intset::Valid("\2\0\0\0\2\0\0\0\1\0\2\0\3\0"sv)) << "trailing bytes";
  EXPECT_FALSE(intset::Valid("\2\0\0\0\2\0\0\0\2\0\1\0"sv)) << "descending";
  EXPECT_FALSE(intset::Valid("\2\0\0\0\2\0\0\0\1\0\1\0"sv)) << "twice";
  EXPECT_FALSE(intset::Valid("\2\0\0\0\xff\xff\xff\xff\1\0"sv)) << "count beyond the end";
}

}  // namespace
}  // namespace cinnabar
