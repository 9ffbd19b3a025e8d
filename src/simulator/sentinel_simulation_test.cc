// Many runs of the simulation of Sentinel, each a seed.
//
// CINNABAR_SIMULATOR_SEED repeats one run, or says where to begin; CINNABAR_SIMULATOR_RUNS says how many
// there are (default 200; fewer with sanitizers); CINNABAR_SIMULATOR_GO_ON goes on behind a run that fails;
// CINNABAR_SIMULATOR_TRACE shows its last steps.
#include "simulator/sentinel_simulation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "simulator/environment_for_test.h"

namespace cinnabar::simulator {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRuns = 10;
#else
constexpr uint64_t kRuns = 200;
#endif

std::string HowToRepeat(uint64_t seed) {
  std::string text = fmt::format(
      "\n  repeat with CINNABAR_SIMULATOR_SEED={} CINNABAR_SIMULATOR_TRACE=1 simulator_test "
      "--gtest_filter='SentinelSimulation.All*'",
      seed);
  if (!FromEnvironment("CINNABAR_SIMULATOR_TRACE")) return text;
  SentinelSimulation again(seed, SentinelBug::kNone, Tracing::kOn);
  for (const std::string& line : again.Run().trace) text += "\n" + line;
  return text;
}

TEST(SentinelSimulation, AllAgreeWhateverGoesWrong) {
  const auto only = FromEnvironment("CINNABAR_SIMULATOR_SEED");
  const uint64_t first = only.value_or(1);
  const uint64_t runs = FromEnvironment("CINNABAR_SIMULATOR_RUNS").value_or(only ? 1 : kRuns);
  const bool go_on = FromEnvironment("CINNABAR_SIMULATOR_GO_ON").has_value();
  SentinelReport sum;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    const SentinelReport report = SentinelSimulation(seed).Run();
    if (go_on) {
      EXPECT_EQ(report.broken, "") << HowToRepeat(seed);
    } else {
      ASSERT_EQ(report.broken, "") << HowToRepeat(seed);
    }
    sum.elected += report.elected;
    sum.votes += report.votes;
    sum.forced += report.forced;
    sum.promotions += report.promotions;
    sum.answered += report.answered;
    sum.kept += report.kept;
    sum.stranded += report.stranded;
    sum.misled += report.misled;
    if (report.stranded > 0) fmt::print("seed {} is stranded{}\n", seed, only ? HowToRepeat(seed) : "");
    sum.agreed_after = std::max(sum.agreed_after, report.agreed_after);
  }
  fmt::print(
      "{} runs: {} leaders elected with {} votes, {} failovers forced, {} promotions; {} writes answered "
      "after acknowledgements, {} of them promised to be kept; {} runs stranded, {} misled by old files; "
      "agreement after {} ms at most\n",
      runs, sum.elected, sum.votes, sum.forced, sum.promotions, sum.answered, sum.kept, sum.stranded,
      sum.misled, sum.agreed_after);
  if (runs < 100) return;
  // The runs are worth something only if all of it happens.
  EXPECT_GT(sum.elected, runs);
  EXPECT_GT(sum.votes, 2 * runs);
  EXPECT_GT(sum.promotions, 2 * runs);
  EXPECT_GT(sum.kept, 50 * runs);
  EXPECT_LT(sum.stranded, runs / 10);
}

TEST(SentinelSimulation, ASeedRepeatsToTheByte) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const SentinelReport once = SentinelSimulation(seed).Run(), again = SentinelSimulation(seed).Run();
    EXPECT_EQ(once.digest, again.digest) << seed;
    EXPECT_EQ(once.broken, again.broken);
    EXPECT_EQ(once.votes, again.votes);
    EXPECT_EQ(once.answered, again.answered);
  }
  EXPECT_NE(SentinelSimulation(1).Run().digest, SentinelSimulation(2).Run().digest);
}

// The first seed that finds it, 0 if none of the first `seeds` does.
uint64_t FirstSeedThatFinds(SentinelBug bug, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const SentinelReport report = SentinelSimulation(seed, bug).Run();
    if (report.broken.empty()) continue;
    fmt::print("seed {} {}\n", seed, report.broken);
    return seed;
  }
  return 0;
}

// What would be the use of checks that find nothing?
TEST(SentinelSimulation, FindsPlantedBugs) {
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kVotesForEverybody, 50), 0u);
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kSavesNothing, 50), 0u);
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kHearsVotesNobodyGave, 50), 0u);
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kTellsOfEpochsToCome, 50), 0u);
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kHearsNoHello, 50), 0u);
  EXPECT_NE(FirstSeedThatFinds(SentinelBug::kCountsReplicasTwice, 50), 0u);
}

constexpr Millis kLate = 5000;

std::string TraceOf(uint64_t seed, const FailoverTrial& trial) {
  std::string text;
  if (!FromEnvironment("CINNABAR_SIMULATOR_TRACE")) return text;
  for (const std::string& line : MeasureFailover(seed, trial, Tracing::kOn).trace) text += "\n" + line;
  return text;
}

// How long it takes until a majority names another primary, beyond down-after-milliseconds, on a quiet
// network. Returns how many answered writes were lost.
uint64_t Measure(const char* title, const FailoverTrial& trial, uint64_t runs) {
  std::vector<Millis> beyond;
  uint64_t answered = 0, lost = 0;
  for (uint64_t seed = 1; seed <= runs; ++seed) {
    const FailoverResult result = MeasureFailover(seed, trial);
    EXPECT_EQ(result.broken, "") << title << ", seed " << seed;
    EXPECT_TRUE(result.named_after.has_value()) << title << ", seed " << seed;
    answered += result.answered;
    lost += result.lost;
    beyond.push_back(result.named_after.value_or(0) - result.down_after);
    if (result.lost == 0 && beyond.back() < kLate) continue;
    fmt::print("{}, seed {}: {} ms, {} lost{}\n", title, seed, beyond.back(), result.lost,
               TraceOf(seed, trial));
  }
  std::ranges::sort(beyond);
  const auto at = [&](size_t percent) { return beyond[(beyond.size() - 1) * percent / 100]; };
  fmt::print(
      "{}: another one is named {} / {} / {} / {} / {} ms (least, median, 90 %, 99 %, most) after "
      "down-after; "
      "{} of {} answered writes lost\n",
      title, at(0), at(50), at(90), at(99), at(100), lost, answered);
  EXPECT_LT(at(100), kLate) << title;
  return lost;
}

TEST(SentinelSimulation, MeasuresFailovers) {
  EXPECT_EQ(Measure("killed", {.failure = FailoverTrial::Failure::kKilled}, kRuns), 0u);
  // See sentinel_watch.h: of a primary that is stopped nothing is promised.
  Measure("stopped", {.failure = FailoverTrial::Failure::kStopped}, kRuns);
}

TEST(SentinelSimulation, FindsThatTheWrongReplicaIsChosen) {
  EXPECT_GT(Measure("replicas hide their offsets", {.bug = SentinelBug::kReplicasHideTheirOffsets}, 30), 0u);
}

}  // namespace
}  // namespace cinnabar::simulator
