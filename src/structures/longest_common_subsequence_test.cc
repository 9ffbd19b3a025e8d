#include "structures/longest_common_subsequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace cinnabar {
namespace {

using Detail = CommonSubsequenceDetail;
constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// The textbook table with one number per cell, and the choice between equals that the header promises.
CommonSubsequence Textbook(std::string_view a, std::string_view b) {
  std::vector<std::vector<uint32_t>> table(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      table[i][j] =
          a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1 : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  CommonSubsequence result;
  result.length = table[a.size()][b.size()];
  size_t i = a.size();
  size_t j = b.size();
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      result.text.insert(result.text.begin(), a[--i]);
      --j;
      const auto ai = static_cast<uint32_t>(i);
      const auto bj = static_cast<uint32_t>(j);
      if (!result.ranges.empty() && result.ranges.back().a_first == ai + 1 &&
          result.ranges.back().b_first == bj + 1) {
        result.ranges.back().a_first = ai;
        result.ranges.back().b_first = bj;
      } else {
        result.ranges.push_back({ai, ai, bj, bj});
      }
    } else if (table[i - 1][j] > table[i][j - 1]) {
      --i;
    } else {
      --j;
    }
  }
  return result;
}

TEST(LongestCommonSubsequence, KnownExample) {
  const auto text = LongestCommonSubsequence("ohmytext", "mynewtext", Detail::kText, kNoLimit).value();
  EXPECT_EQ(text.length, 6u);
  EXPECT_EQ(text.text, "mytext");
  const auto ranges = LongestCommonSubsequence("ohmytext", "mynewtext", Detail::kRanges, kNoLimit).value();
  EXPECT_EQ(ranges.ranges, (std::vector<CommonRange>{{4, 7, 5, 8}, {2, 3, 0, 1}}));
  EXPECT_EQ(ranges.ranges[0].length(), 4u);
}

TEST(LongestCommonSubsequence, EmptyAndDisjoint) {
  for (const Detail detail : {Detail::kLength, Detail::kText, Detail::kRanges}) {
    for (const auto& [a, b] :
         {std::pair("", ""), std::pair("a", ""), std::pair("", "a"), std::pair("abc", "xyz")}) {
      const auto result = LongestCommonSubsequence(a, b, detail, kNoLimit).value();
      EXPECT_EQ(result.length, 0u);
      EXPECT_EQ(result.text, "");
      EXPECT_TRUE(result.ranges.empty());
    }
  }
}

TEST(LongestCommonSubsequence, AgreesWithTheTextbook) {
  const uint64_t seed = 271828;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 400; ++round) {
    const uint64_t alphabet = 1 + random.Uniform(random.OneIn(4) ? 256 : 5);
    std::string a(random.Uniform(200), '\0');
    std::string b(random.Uniform(200), '\0');
    for (char& c : a) c = static_cast<char>(random.Uniform(alphabet));
    for (char& c : b) c = static_cast<char>(random.Uniform(alphabet));
    const CommonSubsequence expected = Textbook(a, b);
    ASSERT_EQ(LongestCommonSubsequence(a, b, Detail::kLength, kNoLimit)->length, expected.length);
    const auto text = LongestCommonSubsequence(a, b, Detail::kText, kNoLimit).value();
    ASSERT_EQ(text.length, expected.length);
    ASSERT_EQ(text.text, expected.text);
    const auto ranges = LongestCommonSubsequence(a, b, Detail::kRanges, kNoLimit).value();
    ASSERT_EQ(ranges.length, expected.length);
    ASSERT_EQ(ranges.ranges, expected.ranges);
  }
}

TEST(LongestCommonSubsequence, RefusesTablesBeyondTheLimit) {
  const std::string a(10'000, 'a');
  constexpr uint64_t kNeeded = (10'000 + 1) * (10'000 + 63) / 64 * 8;
  for (const Detail detail : {Detail::kLength, Detail::kText, Detail::kRanges}) {
    EXPECT_FALSE(LongestCommonSubsequence(a, a, detail, kNeeded / 2).has_value());
    EXPECT_EQ(LongestCommonSubsequence(a, a, detail, kNeeded * 2)->length, a.size());
  }
}

}  // namespace
}  // namespace cinnabar
