#include "histogram.h"

#include <gtest/gtest.h>

namespace cinnabar::bench {
namespace {

TEST(Histogram, QuantilesAreWithinThreePercent) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 1'000'000; ++i) histogram.Add(i * 10);
  EXPECT_NEAR(histogram.QuantileMicros(0.5), 5000, 150);
  EXPECT_NEAR(histogram.QuantileMicros(0.99), 9900, 300);
  EXPECT_DOUBLE_EQ(histogram.MaxMicros(), 10'000);
}

TEST(Histogram, HoldsEveryValueAndMerges) {
  Histogram one, two;
  one.Add(0);
  two.Add(~uint64_t{0});
  one.Merge(two);
  EXPECT_EQ(one.total(), 2u);
  EXPECT_EQ(one.QuantileMicros(0), 0);
  EXPECT_GT(one.QuantileMicros(0.9), 1e15);
}

}  // namespace
}  // namespace cinnabar::bench
