#include "structures/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/random.h"

namespace cinnabar {
namespace {

TEST(LatencyHistogram, EmptyCostsNothing) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.TotalCount(), 0u);
  EXPECT_EQ(histogram.NanosAtPercentile(50), 0u);
  EXPECT_TRUE(histogram.CumulativePowersOfTwo().empty());
  EXPECT_EQ(histogram.AllocatedBytes(), 0u);
  EXPECT_LE(sizeof(histogram), 256u);
}

TEST(LatencyHistogram, BucketsAreWithinTheirError) {
  for (uint64_t nanos = 1; nanos < LatencyHistogram::kNanosMax; nanos += 1 + nanos / 50) {
    LatencyHistogram histogram;
    histogram.Record(nanos);
    const uint64_t reported = histogram.NanosAtPercentile(50);
    ASSERT_GE(reported, nanos);
    ASSERT_LE(reported - nanos, nanos / 128) << nanos;
  }
  LatencyHistogram histogram;
  histogram.Record(1000);
  EXPECT_EQ(histogram.NanosAtPercentile(50), 1003u);
  histogram.Record(~uint64_t{0});
  EXPECT_EQ(histogram.NanosAtPercentile(100), 1'002'438'655u);
}

TEST(LatencyHistogram, PercentilesFollowTheSortedRecords) {
  const uint64_t seed = 60;
  SCOPED_TRACE(seed);
  Random random(seed);
  LatencyHistogram histogram;
  LatencyHistogram part;
  std::vector<uint64_t> records;
  for (int i = 0; i < 20'000; ++i) {
    records.push_back(random.Next() >> (35 + random.Uniform(25)));
    (i % 3 == 0 ? part : histogram).Record(records.back());
  }
  histogram.Merge(part);
  std::sort(records.begin(), records.end());
  EXPECT_EQ(histogram.TotalCount(), records.size());
  for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(records.size()) + 0.5);
    const uint64_t expected = records[std::max<size_t>(rank, 1) - 1];
    const uint64_t reported = histogram.NanosAtPercentile(percent);
    EXPECT_GE(reported, expected);
    EXPECT_LE(reported, expected + expected / 128);
  }
  uint64_t previous = 0;
  for (const auto& [nanos, count] : histogram.CumulativePowersOfTwo()) {
    EXPECT_GT(count, previous);
    previous = count;
    const auto below = std::upper_bound(records.begin(), records.end(), nanos) - records.begin();
    EXPECT_EQ(count, static_cast<uint64_t>(below));
  }
  EXPECT_EQ(previous, records.size());
  histogram.Reset();
  EXPECT_EQ(histogram.TotalCount(), 0u);
}

TEST(LatencyHistogram, StepsAreThoseClientsKnow) {
  LatencyHistogram histogram;
  std::vector<uint64_t> micros;
  for (uint64_t nanos = 1024; nanos < LatencyHistogram::kNanosMax; nanos *= 2) histogram.Record(nanos);
  histogram.Record(LatencyHistogram::kNanosMax);
  for (const auto& step : histogram.CumulativePowersOfTwo()) micros.push_back(step.nanos / 1000);
  EXPECT_EQ(micros, (std::vector<uint64_t>{1,     2,     4,     8,      16,     33,     66,
                                           132,   264,   528,   1056,   2113,   4227,   8454,
                                           16908, 33816, 67633, 135266, 270532, 541065, 1073741}));
}

TEST(LatencyHistogram, MayBeReadWhileItRecords) {
  constexpr uint64_t kRecords = 20'000;
  LatencyHistogram histogram;
  std::thread owner([&histogram] {
    Random random(3);
    for (uint64_t i = 0; i < kRecords; ++i) histogram.Record(random.Next() >> 36);
  });
  uint64_t total = 0;
  while (total < kRecords) {
    const uint64_t now = histogram.TotalCount();
    EXPECT_GE(now, total);
    total = now;
    histogram.NanosAtPercentile(99);
  }
  owner.join();
  EXPECT_EQ(total, kRecords);
}

}  // namespace
}  // namespace cinnabar
