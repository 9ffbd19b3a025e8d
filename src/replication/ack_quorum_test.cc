#include "replication/ack_quorum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "base/random.h"

namespace cinnabar::replication {
namespace {

TEST(AckQuorum, IsTheOffsetThatEnoughHaveReached) {
  AckQuorum quorum;
  EXPECT_EQ(quorum.Reached(1), 0u);
  EXPECT_EQ(quorum.Reached(0), std::numeric_limits<StreamOffset>::max());
  const auto a = quorum.Add(10), b = quorum.Add(30), c = quorum.Add(20);
  EXPECT_EQ(quorum.Reached(1), 30u);
  EXPECT_EQ(quorum.Reached(2), 20u);
  EXPECT_EQ(quorum.Reached(3), 10u);
  EXPECT_EQ(quorum.Reached(4), 0u);
  EXPECT_EQ(quorum.CountAt(20), 2u);
  EXPECT_EQ(quorum.CountAt(31), 0u);
  EXPECT_TRUE(quorum.Acknowledge(a, 40));
  EXPECT_EQ(quorum.Reached(2), 30u);
  EXPECT_FALSE(quorum.Acknowledge(a, 40));
  EXPECT_FALSE(quorum.Acknowledge(a, 5));
  quorum.Remove(b);
  EXPECT_EQ(quorum.Reached(2), 20u);
  quorum.Remove(c);
  quorum.Remove(a);
  EXPECT_EQ(quorum.size(), 0u);
  EXPECT_EQ(quorum.Reached(1), 0u);
}

TEST(AckQuorum, AgreesWithSortingThemAll) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  AckQuorum quorum;
  std::map<AckQuorum::Member, StreamOffset> model;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t choice = random.Uniform(20);
    if (model.empty() || (choice == 0 && model.size() < 12)) {
      const StreamOffset offset = random.Uniform(50);
      const auto member = quorum.Add(offset);
      ASSERT_FALSE(model.contains(member));
      model[member] = offset;
    } else {
      auto it = std::next(model.begin(), static_cast<long>(random.Uniform(model.size())));
      if (choice == 1) {
        quorum.Remove(it->first);
        model.erase(it);
      } else {
        const StreamOffset offset = it->second + random.Uniform(20) - std::min<StreamOffset>(it->second, 3);
        if (quorum.Acknowledge(it->first, offset)) it->second = offset;
      }
    }
    std::vector<StreamOffset> sorted;
    for (const auto& [member, offset] : model) sorted.push_back(offset);
    std::ranges::sort(sorted, std::greater());
    for (size_t n = 1; n <= sorted.size(); ++n) ASSERT_EQ(quorum.Reached(n), sorted[n - 1]);
    const StreamOffset at = random.Uniform(60);
    ASSERT_EQ(quorum.CountAt(at),
              static_cast<size_t>(std::ranges::count_if(sorted, [at](auto o) { return o >= at; })));
  }
}

}  // namespace
}  // namespace cinnabar::replication
