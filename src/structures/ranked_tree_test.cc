#include "structures/ranked_tree.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"

namespace cinnabar {
namespace {

struct alignas(8) Item {
  double value;
  std::string name;

  double score() const { return value; }
  std::string_view member() const { return name; }
};

struct Before {
  bool operator()(const Item* a, const Item* b) const {
    return a->value != b->value ? a->value < b->value : a->name < b->name;
  }
};
using Model = std::set<Item*, Before>;

// The tree and the naive model side by side.
template <int kLeafSlots, int kFanout>
class Pair {
 public:
  explicit Pair(uint64_t seed) : random_(seed) {}
  ~Pair() {
    tree_.Clear([](Item* item) { delete item; });
  }

  size_t size() const { return model_.size(); }

  void Add() {
    auto* item = new Item{DrawScore(), std::to_string(random_.Uniform(500))};
    if (model_.contains(item)) {
      delete item;
      return;
    }
    model_.insert(item);
    tree_.Insert(item);
  }
  void AppendSome() {
    double score = model_.empty() ? 0 : (*model_.rbegin())->value;
    if (std::abs(score) > 1e15) return;
    for (uint64_t i = random_.Uniform(200); i > 0; --i) {
      score += 1 + static_cast<double>(random_.Uniform(10));
      auto* item = new Item{score, "appended"};
      model_.insert(item);
      tree_.Append(item);
    }
  }
  void EraseOne() {
    if (model_.empty()) return;
    Item* item = Draw();
    tree_.Erase(*item);
    model_.erase(item);
    delete item;
  }
  void ChangeOne() {
    if (model_.empty()) return;
    Item* item = Draw();
    const Item wanted{random_.OneIn(2) ? DrawScore() : item->value + 0.25, item->name};
    if (model_.contains(const_cast<Item*>(&wanted))) return;
    model_.erase(item);
    tree_.ChangeScore(*item, wanted.value, [&](Item& changed) { changed.value = wanted.value; });
    model_.insert(item);
  }
  void EraseSome(uint64_t most) {
    if (model_.empty()) return;
    const uint64_t rank = random_.Uniform(model_.size());
    const uint64_t count = std::min<uint64_t>(1 + random_.Uniform(most), model_.size() - rank);
    auto at = std::next(model_.begin(), static_cast<int64_t>(rank));
    tree_.EraseRanks(rank, count, [&](Item* item) {
      ASSERT_EQ(item, *at);
      at = model_.erase(at);
      delete item;
    });
  }

  void Compare() {
    tree_.CheckInvariants();
    ASSERT_EQ(tree_.size(), model_.size());
    std::vector<Item*> all(model_.begin(), model_.end());
    if (all.empty()) return;
    const uint64_t first = random_.Uniform(all.size());
    uint64_t at = first;
    tree_.WalkUp(first, all.size(), [&](Item& item) { ASSERT_EQ(&item, all[at++]); });
    ASSERT_EQ(at, all.size());
    at = first + 1;
    tree_.WalkDown(first, all.size(), [&](Item& item) { ASSERT_EQ(&item, all[--at]); });
    ASSERT_EQ(at, 0u);
    at = first;
    const uint64_t last = first + random_.Uniform(all.size() - first);
    tree_.WalkUpFrom(ElementProbe{all[first]->score(), all[first]->member(), false}, [&](Item& item) {
      EXPECT_EQ(&item, all[at]);
      return at++ < last;
    });
    ASSERT_EQ(at, last + 1);
    for (int i = 0; i < 10; ++i) CompareRanks(all);
  }

 private:
  double DrawScore() {
    if (random_.OneIn(100)) return std::numeric_limits<double>::infinity();
    if (random_.OneIn(100)) return -std::numeric_limits<double>::infinity();
    if (random_.OneIn(50)) return random_.OneIn(2) ? 1.7e308 : -1.7e308;
    if (random_.OneIn(10)) return std::ldexp(1.0, static_cast<int>(random_.Uniform(2000)) - 1040);
    if (random_.OneIn(3)) return random_.UniformDouble() * 1000;
    return static_cast<double>(random_.Uniform(20));
  }
  Item* Draw() { return *std::next(model_.begin(), static_cast<int64_t>(random_.Uniform(model_.size()))); }
  void CompareRanks(const std::vector<Item*>& all) {
    const uint64_t rank = random_.Uniform(all.size());
    ASSERT_EQ(tree_.At(rank), all[rank]);
    ASSERT_EQ(tree_.RankOf(*all[rank]), rank);
    const double score = DrawScore();
    uint64_t below = 0, up_to = 0;
    for (const Item* item : all) {
      below += item->value < score;
      up_to += item->value <= score;
    }
    ASSERT_EQ(tree_.CountBefore(ScoreProbe{score, false}), below);
    ASSERT_EQ(tree_.CountBefore(ScoreProbe{score, true}), up_to);
  }

  Random random_;
  Model model_;
  RankedTree<Item, kLeafSlots, kFanout> tree_;
};

template <int kLeafSlots, int kFanout>
void PlayRandomly(int steps, uint64_t most) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Pair<kLeafSlots, kFanout> pair(seed + 1);
  for (int step = 0; step < steps; ++step) {
    // Grows for a while, then shrinks.
    const bool growing = step % (steps / 4) < steps / 6;
    const uint64_t choice = random.Uniform(100);
    if (choice < (growing ? 60u : 20u)) {
      pair.Add();
    } else if (choice < 75) {
      pair.EraseOne();
    } else if (choice < 98) {
      pair.ChangeOne();
    } else if (growing && choice == 98) {
      pair.AppendSome();
    } else {
      pair.EraseSome(random.OneIn(10) ? most * 10 : most);
    }
    if (step % 50 == 0) pair.Compare();
    if (testing::Test::HasFatalFailure()) return;
  }
  pair.Compare();
}

TEST(RankedTreeTest, AgreesWithAModelWithTheSmallestNodes) {
  PlayRandomly<4, 4>(40000, 20);
}
TEST(RankedTreeTest, AgreesWithAModelWithSmallNodes) {
  PlayRandomly<9, 5>(40000, 50);
}
TEST(RankedTreeTest, AgreesWithAModelWithUsualNodes) {
  PlayRandomly<60, 63>(60000, 500);
}

TEST(RankedTreeTest, FindsMembersOfEqualScores) {
  std::deque<Item> items;
  RankedTree<Item, 8, 4> tree;
  for (int i = 0; i < 1000; ++i) items.push_back({7, std::to_string(100000 + i * 2)});
  for (int i = 0; i < 1000; ++i) tree.Insert(&items[static_cast<size_t>(i * 7 % 1000)]);
  tree.CheckInvariants();
  EXPECT_EQ(tree.CountBefore(MemberProbe{"100010", false}), 5u);
  EXPECT_EQ(tree.CountBefore(MemberProbe{"100010", true}), 6u);
  EXPECT_EQ(tree.CountBefore(MemberProbe{"100011", false}), 6u);
  EXPECT_EQ(tree.CountBefore(MemberProbe{"1", false}), 0u);
  EXPECT_EQ(tree.CountBefore(MemberProbe{"2", false}), 1000u);
  EXPECT_EQ(tree.CountBefore(ElementProbe{7, "100010", false}), 5u);
}

TEST(RankedTreeTest, PacksSortedInputTightly) {
  std::deque<Item> items;
  RankedTree<Item> tree;
  for (int i = 0; i < 100000; ++i) {
    items.push_back({static_cast<double>(i), "member"});
    tree.Insert(&items.back());
  }
  tree.CheckInvariants();
  EXPECT_LT(tree.memory() / 100000.0, 9.2);
}

}  // namespace
}  // namespace cinnabar
