#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "telemetry/command_stats.h"
#include "telemetry/error_stats.h"
#include "telemetry/rate_sampler.h"

namespace cinnabar::telemetry {
namespace {

TEST(CommandStats, AddsUpOverCores) {
  CommandStats first(3), second(3);
  first.AddCall(1, 100);
  first.AddFailed(1);
  second.AddCall(1, 50);
  second.AddRejected(2);
  CommandTotals sum = first.Read(1);
  sum += second.Read(1);
  EXPECT_EQ(sum.calls, 2u);
  EXPECT_EQ(sum.ticks, 150u);
  EXPECT_EQ(sum.failed, 1u);
  EXPECT_EQ(sum.rejected, 0u);
  EXPECT_TRUE(first.Read(0).Untouched());
  EXPECT_FALSE(second.Read(2).Untouched());
  second.Reset();
  EXPECT_TRUE(second.Read(2).Untouched());
}

TEST(CommandStats, ReadersRunBesideTheOwner) {
  CommandStats stats(1);
  std::atomic<bool> done{false};
  std::thread owner([&] {
    for (int i = 0; i < 100'000; ++i) stats.AddCall(0, 2);
    done = true;
  });
  uint64_t last = 0;
  while (!done) {
    const uint64_t calls = stats.Read(0).calls;
    EXPECT_GE(calls, last);
    last = calls;
  }
  owner.join();
  EXPECT_EQ(stats.Read(0).ticks, 200'000u);
}

TEST(ErrorStats, CountsByCode) {
  ErrorStats first, second;
  first.Add("ERR");
  first.Add("ERR");
  second.Add("ERR");
  second.Add("WRONGTYPE");
  const ErrorStats* cores[] = {&first, &second};
  const std::map<std::string, uint64_t> expected{{"ERR", 3}, {"WRONGTYPE", 1}};
  EXPECT_EQ(MergeErrorStats(cores), expected);
  EXPECT_EQ(first.Total() + second.Total(), 4u);
  first.Reset();
  second.Reset();
  EXPECT_TRUE(MergeErrorStats(cores).empty());
  first.Add("OOM");
  EXPECT_EQ(MergeErrorStats(cores), (std::map<std::string, uint64_t>{{"OOM", 1}}));
}

TEST(ErrorStats, HoldsALimitedNumberOfCodes) {
  ErrorStats first, second;
  for (int i = 0; i < 1000; ++i) first.Add("A" + std::to_string(i));
  for (int i = 0; i < 1000; ++i) second.Add("B" + std::to_string(i));
  EXPECT_EQ(first.Distinct(), 128u);
  first.Add("A5");
  const ErrorStats* cores[] = {&first, &second};
  const auto counts = MergeErrorStats(cores);
  EXPECT_EQ(counts.size(), 129u);
  EXPECT_EQ(counts.at("A5"), 2u);
  uint64_t sum = 0;
  for (const auto& [code, count] : counts) sum += count;
  EXPECT_EQ(sum, 2001u);
}

TEST(ErrorStats, CodeOfAReply) {
  EXPECT_EQ(ErrorCodeOf("-WRONGTYPE Operation against a key"), "WRONGTYPE");
  EXPECT_EQ(ErrorCodeOf("ERR syntax error"), "ERR");
  EXPECT_EQ(ErrorCodeOf("-oneword"), "ERR");
  EXPECT_EQ(ErrorCodeOf("- x"), "ERR");
  EXPECT_EQ(ErrorCodeOf(""), "ERR");
}

TEST(RateSampler, MeansTheLast16Samples) {
  RateSampler rate;
  rate.Sample(1000, 5000);  // only the start
  EXPECT_EQ(rate.PerSecond(), 0u);
  for (int i = 1; i <= 16; ++i) rate.Sample(1000 + i * 100, 5000 + static_cast<uint64_t>(i) * 10);
  EXPECT_EQ(rate.PerSecond(), 100u);
  rate.Sample(2600, 9000);  // no time has passed: nothing to divide by
  rate.Sample(2700, 0);     // the total was set back: no negative rate
  EXPECT_EQ(rate.PerSecond(), 93u);
  rate.Reset();
  EXPECT_EQ(rate.PerSecond(), 0u);
}

}  // namespace
}  // namespace cinnabar::telemetry
