#include "base/random.h"

#include <gtest/gtest.h>

namespace cinnabar {
namespace {

TEST(Random, UniformIsInRangeAndEven) {
  Random random(1);
  int counts[10] = {};
  for (int i = 0; i < 100'000; ++i) ++counts[random.Uniform(10)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 600);
  Random again(1);
  EXPECT_EQ(Random(1).Next(), again.Next());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(random.Uniform(1), 0u);
    const double d = random.UniformDouble();
    EXPECT_TRUE(d >= 0 && d < 1);
  }
}

}  // namespace
}  // namespace cinnabar
