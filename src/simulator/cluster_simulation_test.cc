// Many runs of the simulation of clusters, each a seed.
//
// CINNABAR_SIMULATOR_SEED repeats one run, or says where to begin; CINNABAR_SIMULATOR_RUNS says how many
// there are; CINNABAR_SIMULATOR_GO_ON goes on behind a run that fails; CINNABAR_SIMULATOR_TRACE shows its
// last steps.
#include "simulator/cluster_simulation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "simulator/cluster_measure.h"
#include "simulator/environment_for_test.h"

namespace cinnabar::simulator {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSlow = true;  // every run takes seconds
constexpr uint64_t kRuns = 2;
constexpr uint64_t kRepeated = 1;
constexpr uint64_t kTrials = 1;
constexpr uint64_t kNewsNodes = 20;
#else
constexpr bool kSlow = false;
constexpr uint64_t kRuns = 20;
constexpr uint64_t kRepeated = 3;
constexpr uint64_t kTrials = 4;
constexpr uint64_t kNewsNodes = 50;
#endif
constexpr Millis kSoonMost = 1500;

std::string HowToRepeat(uint64_t seed) {
  std::string text = fmt::format(
      "\n  repeat with CINNABAR_SIMULATOR_SEED={} CINNABAR_SIMULATOR_TRACE=1 simulator_test "
      "--gtest_filter='ClusterSimulation.All*'",
      seed);
  if (!FromEnvironment("CINNABAR_SIMULATOR_TRACE")) return text;
  ClusterSimulation again(seed, ClusterBug::kNone, Tracing::kOn);
  for (const std::string& line : again.Run().trace) text += "\n" + line;
  return text;
}

TEST(ClusterSimulation, AllAgreeWhateverGoesWrong) {
  const auto only = FromEnvironment("CINNABAR_SIMULATOR_SEED");
  const uint64_t first = only.value_or(1);
  const uint64_t runs = FromEnvironment("CINNABAR_SIMULATOR_RUNS").value_or(only ? 1 : kRuns);
  const bool go_on = FromEnvironment("CINNABAR_SIMULATOR_GO_ON").has_value();
  ClusterReport sum;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    const ClusterReport report = ClusterSimulation(seed).Run();
    if (go_on) {
      EXPECT_EQ(report.broken, "") << HowToRepeat(seed);
    } else {
      ASSERT_EQ(report.broken, "") << HowToRepeat(seed);
    }
    sum.elected += report.elected;
    sum.votes += report.votes;
    sum.unvoted += report.unvoted;
    sum.promotions += report.promotions;
    sum.moved += report.moved;
    sum.writes += report.writes;
    sum.promised += report.promised;
    sum.doubtful += report.doubtful;
    sum.misled += report.misled;
    sum.agreed_after = std::max(sum.agreed_after, report.agreed_after);
  }
  fmt::print(
      "{} runs: {} elected with {} votes, {} epochs without votes, {} promotions, {} slots moved; {} writes "
      "taken, {} promised to be kept, {} with doubtful acknowledgements; {} runs misled by old files; "
      "agreement after {} ms at most\n",
      runs, sum.elected, sum.votes, sum.unvoted, sum.promotions, sum.moved, sum.writes, sum.promised,
      sum.doubtful, sum.misled, sum.agreed_after);
  if (runs < 20) return;
  // The runs are worth something only if all of it happens.
  EXPECT_GT(sum.elected, 2 * runs);
  EXPECT_GT(sum.votes, 4 * runs);
  EXPECT_GT(sum.promotions, 2 * runs);
  EXPECT_GT(sum.moved, runs);
  EXPECT_GT(sum.promised, 50 * runs);
}

TEST(ClusterSimulation, ASeedRepeatsToTheByte) {
  for (uint64_t seed = 1; seed <= kRepeated; ++seed) {
    const ClusterReport once = ClusterSimulation(seed).Run(), again = ClusterSimulation(seed).Run();
    EXPECT_EQ(once.digest, again.digest) << seed;
    EXPECT_EQ(once.broken, again.broken);
    EXPECT_EQ(once.votes, again.votes);
    EXPECT_EQ(once.writes, again.writes);
  }
  if (kSlow) return;
  EXPECT_NE(ClusterSimulation(1).Run().digest, ClusterSimulation(2).Run().digest);
}

struct PlantedBug {
  ClusterBug bug;
  uint64_t first_seed;  // that tries it
};

// The first seed from there on that finds it; 0 if none of fifty does.
uint64_t SeedThatFinds(const PlantedBug& planted) {
  for (uint64_t seed = planted.first_seed; seed < planted.first_seed + 50; ++seed) {
    const ClusterReport report = ClusterSimulation(seed, planted.bug).Run();
    if (report.broken.empty()) continue;
    fmt::print("bug {}, seed {} {}\n", static_cast<int>(planted.bug), seed, report.broken);
    return seed;
  }
  return 0;
}

// What would be the use of checks that find nothing?
TEST(ClusterSimulation, FindsPlantedBugs) {
  for (const PlantedBug& planted : {PlantedBug{ClusterBug::kDiskForgetsVotes, 1},
                                    {ClusterBug::kSavesNothing, 1},
                                    {ClusterBug::kVotesForEverybody, 3},
                                    {ClusterBug::kHearsVotesNobodyGave, 2},
                                    {ClusterBug::kTellsOfEpochsToCome, 1},
                                    {ClusterBug::kHearsOfNoNewOwners, 1},
                                    {ClusterBug::kWritesWhileDown, 1},
                                    {ClusterBug::kAnswersTooEarly, 4}}) {
    // That one shows at the end of a run only.
    if (kSlow && planted.bug == ClusterBug::kHearsOfNoNewOwners) continue;
    EXPECT_NE(SeedThatFinds(planted), 0u) << static_cast<int>(planted.bug);
  }
}

// How long it takes beyond cluster-node-timeout until somebody else takes writes, on a quiet network.
void Measure(const char* title, const ClusterFailoverTrial& trial, uint64_t runs) {
  std::vector<Millis> beyond;
  uint64_t promised = 0, lost = 0;
  for (uint64_t seed = 1; seed <= runs; ++seed) {
    const ClusterFailoverResult result = MeasureClusterFailover(seed, trial);
    EXPECT_EQ(result.broken, "") << title << ", seed " << seed;
    EXPECT_TRUE(result.served_after.has_value()) << title << ", seed " << seed;
    promised += result.promised;
    lost += result.lost;
    beyond.push_back(result.served_after.value_or(0) - trial.node_timeout);
  }
  std::ranges::sort(beyond);
  const auto at = [&](size_t percent) { return beyond[(beyond.size() - 1) * percent / 100]; };
  fmt::print(
      "{}, node timeout {}: writes are taken {} / {} / {} / {} ms (least, median, 90 %, most) after it; {} "
      "of {} "
      "answered writes lost\n",
      title, trial.node_timeout, at(0), at(50), at(90), at(100), lost, promised);
  EXPECT_EQ(lost, 0u) << title;
  EXPECT_LT(at(100), kSoonMost) << title;
}

TEST(ClusterSimulation, MeasuresFailovers) {
  using Failure = ClusterFailoverTrial::Failure;
  for (const Millis timeout : {Millis{1000}, Millis{5000}, Millis{15'000}}) {
    Measure("killed", {.failure = Failure::kKilled, .node_timeout = timeout}, kTrials);
    Measure("stopped", {.failure = Failure::kStopped, .node_timeout = timeout}, kTrials);
    Measure("killed, two replicas",
            {.failure = Failure::kKilled, .replicas_each = 2, .node_timeout = timeout}, kTrials);
  }
}

std::string Seconds(const std::optional<Millis>& time) {
  return time ? fmt::format("{:.1f} s", static_cast<double>(*time) / 1000) : "never";
}

// CINNABAR_SIMULATOR_NODES says how many nodes; 500 take minutes.
TEST(ClusterSimulation, MeasuresHowLongNewsTakes) {
  const auto nodes = static_cast<int>(FromEnvironment("CINNABAR_SIMULATOR_NODES").value_or(kNewsNodes));
  const Millis timeout = 15'000;
  const NewsResult news = MeasureNews(1, nodes, timeout);
  fmt::print(
      "{} nodes, node timeout {}: all know each other after {}, a new node after {}, a failure after {}, its "
      "failover "
      "after {}; gossip costs {} bytes per second and node\n",
      nodes, timeout, Seconds(news.created), Seconds(news.new_node), Seconds(news.failure),
      Seconds(news.failover), news.bytes_per_second);
  EXPECT_EQ(news.broken, "");
  EXPECT_TRUE(news.created && news.new_node && news.failure && news.failover);
}

}  // namespace
}  // namespace cinnabar::simulator
