#include "types/sorted_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"

namespace cinnabar::types {
namespace {

using Presence = AddRule::Presence;
using Comparison = AddRule::Comparison;
using Meaning = AddRule::Meaning;
using Outcome = SortedSet::Outcome;
using Pairs = std::vector<std::pair<double, std::string>>;

Pairs All(const SortedSet& set) {
  Pairs pairs;
  set.ForEach([&](std::string_view member, double score) { pairs.emplace_back(score, member); });
  return pairs;
}

// The sorted set and the naive model side by side.
class Pair {
 public:
  Pair(uint64_t seed, PackLimits limits) : random_(seed), limits_(limits) {}

  void Step() {
    switch (random_.Uniform(20)) {
      case 0:
      case 1:
      case 2:
        return Erase(DrawMember());
      case 3:
        return EraseScores();
      case 4:
        return EraseSomeRanks();
      default:
        return Add();
    }
  }

  void Compare() {
    Pairs expected;
    for (const auto& [score, member] : order_) expected.emplace_back(score, member);
    ASSERT_EQ(set_.size(), expected.size());
    ASSERT_EQ(All(set_), expected);
    if (expected.empty()) return;
    for (int i = 0; i < 5; ++i) CompareRanges(expected);
    for (int i = 0; i < 5; ++i) CompareMember(DrawMember(), expected);
  }
  bool packed() const { return holder_.packed(); }
  size_t size() const { return order_.size(); }

 private:
  std::string DrawMember() {
    const uint64_t number = random_.Uniform(300);
    if (random_.OneIn(2)) return std::to_string(number);
    if (random_.OneIn(40)) return "";
    if (random_.OneIn(100)) return std::string(300, 'x') + std::to_string(number);
    return "member:" + std::to_string(number);
  }
  double DrawScore() {
    if (random_.OneIn(30)) return random_.OneIn(2) ? kInfiniteScore : -kInfiniteScore;
    if (random_.OneIn(3)) return random_.UniformDouble() * 100 - 50;
    if (random_.OneIn(20))
      return std::ldexp(random_.UniformDouble(), static_cast<int>(random_.Uniform(2000)) - 1000);
    return static_cast<double>(random_.Uniform(40)) - 20;
  }

  void Add() {
    const std::string member = DrawMember();
    const double number = DrawScore();
    const AddRule rule{static_cast<Presence>(random_.OneIn(3) ? random_.Uniform(3) : 0),
                       static_cast<Comparison>(random_.OneIn(3) ? random_.Uniform(3) : 0),
                       random_.OneIn(4) ? Meaning::kIncrement : Meaning::kScore};
    const SortedSet::Added added = set_.Add(member, number, rule, limits_);
    const auto old = scores_.find(member);
    const Outcome expected = Expected(old, number, rule);
    ASSERT_EQ(added.outcome, expected);
    if (expected != Outcome::kAdded && expected != Outcome::kChanged) return;
    const double score =
        rule.meaning == Meaning::kIncrement && old != scores_.end() ? old->second + number : number;
    ASSERT_EQ(added.score, score);
    Forget(member);
    scores_[member] = score;
    order_.insert({score, member});
  }
  Outcome Expected(std::map<std::string, double>::iterator old, double number, const AddRule& rule) {
    if (old == scores_.end()) {
      return rule.presence == Presence::kOnlyPresent ? Outcome::kRefused : Outcome::kAdded;
    }
    if (rule.presence == Presence::kOnlyNew) return Outcome::kRefused;
    const double score = rule.meaning == Meaning::kIncrement ? old->second + number : number;
    if (std::isnan(score)) return Outcome::kNotANumber;
    if (rule.comparison == Comparison::kOnlyGreater && score <= old->second) return Outcome::kRefused;
    if (rule.comparison == Comparison::kOnlyLess && score >= old->second) return Outcome::kRefused;
    return score == old->second ? Outcome::kSame : Outcome::kChanged;
  }
  void Forget(const std::string& member) {
    const auto found = scores_.find(member);
    if (found == scores_.end()) return;
    order_.erase({found->second, member});
    scores_.erase(found);
  }
  void Erase(const std::string& member) {
    ASSERT_EQ(set_.Erase(member), scores_.contains(member));
    Forget(member);
  }
  void EraseAll(const Pairs& gone) {
    for (const auto& [score, member] : gone) Forget(member);
  }
  void EraseScores() {
    if (!random_.OneIn(4)) return;
    const ScoreRange range = DrawScoreRange();
    EraseAll(Within(range));
    set_.EraseRanks(set_.RanksOf(range));
  }
  void EraseSomeRanks() {
    if (order_.empty()) return;
    const size_t first = random_.Uniform(order_.size());
    const size_t count = std::min<size_t>(random_.Uniform(4), order_.size() - first);
    Pairs gone;
    size_t rank = 0;
    for (const auto& pair : order_) {
      if (rank >= first && rank < first + count) gone.push_back(pair);
      ++rank;
    }
    EraseAll(gone);
    set_.EraseRanks({first, count});
  }

  ScoreRange DrawScoreRange() {
    ScoreRange range{.min_excluded = random_.OneIn(2), .max_excluded = random_.OneIn(2)};
    if (!random_.OneIn(10)) range.min = DrawScore();
    if (!random_.OneIn(10)) range.max = random_.OneIn(2) ? range.min + 5 : DrawScore();
    if (std::isnan(range.max)) range.max = 0;
    return range;
  }
  Pairs Within(const ScoreRange& range) const {
    Pairs pairs;
    for (const auto& [score, member] : order_) {
      const bool above = range.min_excluded ? score > range.min : score >= range.min;
      const bool below = range.max_excluded ? score < range.max : score <= range.max;
      if (above && below) pairs.emplace_back(score, member);
    }
    return pairs;
  }

  void CompareRanges(const Pairs& all) {
    const ScoreRange scores = DrawScoreRange();
    Pairs found;
    set_.ForEachInScoreRange(scores, [&](std::string_view m, double s) { found.emplace_back(s, m); });
    ASSERT_EQ(found, Within(scores));
    const size_t first = random_.Uniform(all.size());
    const size_t count = random_.Uniform(all.size() - first + 1);
    found.clear();
    set_.ForEachInRanks({first, count}, Direction::kDown,
                        [&](std::string_view m, double s) { found.emplace_back(s, m); });
    const auto begin = all.begin() + static_cast<ptrdiff_t>(first);
    Pairs expected(begin, begin + static_cast<ptrdiff_t>(count));
    std::reverse(expected.begin(), expected.end());
    ASSERT_EQ(found, expected);
  }
  void CompareMember(const std::string& member, const Pairs& all) {
    const auto known = scores_.find(member);
    const auto score = set_.Score(member);
    const auto place = set_.Find(member);
    ASSERT_EQ(score.has_value(), known != scores_.end());
    ASSERT_EQ(place.has_value(), known != scores_.end());
    if (!score) return;
    ASSERT_EQ(*score, known->second);
    ASSERT_EQ(place->score, known->second);
    ASSERT_EQ(all[place->rank].second, member);
  }

  Random random_;
  PackLimits limits_;
  OwnHolder holder_{SortedSet::kEmptyPacked};
  SortedSet set_{holder_};
  std::map<std::string, double> scores_;
  std::set<std::pair<double, std::string>> order_;
};

void PlayRandomly(PackLimits limits, int steps) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Pair pair(seed, limits);
  for (int step = 0; step < steps; ++step) {
    pair.Step();
    if (step % 7 == 0) pair.Compare();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(SortedSetTest, AgreesWithAModelWhilePacked) {
  PlayRandomly({.entries = 10000, .value_bytes = 10000}, 3000);
}
TEST(SortedSetTest, AgreesWithAModelWhenLarge) {
  PlayRandomly({.entries = 0, .value_bytes = 64}, 10000);
}
TEST(SortedSetTest, AgreesWithAModelAcrossTheConversion) {
  for (int i = 0; i < 30; ++i) PlayRandomly({.entries = 20 + i, .value_bytes = 64}, 300);
}

TEST(SortedSetTest, BecomesLargeBeyondTheLimits) {
  OwnHolder holder(SortedSet::kEmptyPacked);
  SortedSet set(holder);
  const PackLimits limits{.entries = 3, .value_bytes = 5};
  for (const char* member : {"a", "b", "c"}) set.Add(member, 1, {}, limits);
  EXPECT_TRUE(holder.packed());
  set.Add("b", 2, {}, limits);
  EXPECT_TRUE(holder.packed());
  set.Add("d", 1, {}, limits);
  EXPECT_FALSE(holder.packed());
  EXPECT_EQ(All(set), (Pairs{{1, "a"}, {1, "c"}, {1, "d"}, {2, "b"}}));

  OwnHolder other(SortedSet::kEmptyPacked);
  SortedSet(other).Add("123456", 1, {}, limits);
  EXPECT_FALSE(other.packed());
}

TEST(SortedSetTest, SelectsMembersOfEqualScores) {
  for (const int64_t entries : {0, 100}) {
    OwnHolder holder(SortedSet::kEmptyPacked);
    SortedSet set(holder);
    for (const char* member : {"a", "b", "c", "d", "10"}) set.Add(member, 0, {}, {.entries = entries});
    using Kind = MemberBound::Kind;
    auto ranks = [&](MemberBound min, MemberBound max) {
      const RankRange range = set.RanksOf(MemberRange{min, max});
      return std::pair(range.first, range.count);
    };
    const MemberBound lowest{.kind = Kind::kLowest}, highest{.kind = Kind::kHighest};
    EXPECT_EQ(ranks(lowest, highest).second, 5u);
    EXPECT_EQ(ranks(highest, lowest).second, 0u);
    EXPECT_EQ(ranks({.member = "b"}, {.member = "d"}), std::pair(size_t{2}, size_t{3}));
    EXPECT_EQ(ranks({.excluded = true, .member = "b"}, {.excluded = true, .member = "d"}),
              std::pair(size_t{3}, size_t{1}));
    EXPECT_EQ(ranks(lowest, {.member = "10"}).second, 1u);
    EXPECT_EQ(ranks({.member = "bb"}, highest).second, 2u);
  }
}

TEST(SortedSetTest, ClonesShareNothing) {
  LargeSortedSet set;
  for (int i = 0; i < 1000; ++i) set.Add(std::to_string(i), i % 10);
  OwnHolder copy(set.Clone());
  EXPECT_LE(copy.object()->memory(0), set.memory(0));
  EXPECT_EQ(copy.object()->free_effort(), 1000u);
  OwnHolder holder(std::make_unique<LargeSortedSet>());
  for (int i = 0; i < 1000; ++i) SortedSet(holder).Add(std::to_string(i), i % 10, {}, {});
  EXPECT_EQ(All(SortedSet(copy)), All(SortedSet(holder)));
  EXPECT_TRUE(set.Erase("7"));
  EXPECT_TRUE(SortedSet(copy).Score("7").has_value());
}

TEST(SortedSetTest, BuildsWhatWasCollected) {
  for (const int count : {1, 100, 1000}) {
    SortedSetBuilder builder;
    for (int i = count - 1; i >= 0; --i) builder.Add(std::to_string(i), i);
    builder.AddOrCombine("0", 5, [](double old) { return old - 0.5; });
    OwnHolder holder = builder.Finish({.entries = 128, .value_bytes = 64});
    EXPECT_EQ(holder.packed(), count <= 128);
    const Pairs pairs = All(SortedSet(holder));
    ASSERT_EQ(pairs.size(), static_cast<size_t>(count));
    EXPECT_EQ(pairs[0], std::pair(-0.5, std::string("0")));
    EXPECT_TRUE(std::is_sorted(pairs.begin(), pairs.end()));
  }
  // What is never finished is freed as well.
  SortedSetBuilder builder;
  builder.Add("a", 1);
}

TEST(SortedSetTest, ScanVisitsEveryMember) {
  OwnHolder holder(std::make_unique<LargeSortedSet>());
  SortedSet set(holder);
  for (int i = 0; i < 3000; ++i) set.Add(std::to_string(i), i, {}, {});
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    cursor = set.Scan(cursor, [&](std::string_view member, double score) {
      seen.emplace(member);
      EXPECT_TRUE(score == 3000 || member == std::to_string(static_cast<int>(score)));
    });
    set.Erase("1000");
    set.Add("extra:" + std::to_string(cursor), 3000, {}, {});
  } while (cursor != 0);
  for (int i = 0; i < 3000; ++i) {
    EXPECT_TRUE(i == 1000 || seen.contains(std::to_string(i))) << i;
  }
}

}  // namespace
}  // namespace cinnabar::types
