// Many runs of the simulation, each a seed.
//
// CINNABAR_SIMULATOR_SEED repeats one run, or says where to begin; CINNABAR_SIMULATOR_RUNS says how many
// there are (default 1,000; fewer with sanitizers); CINNABAR_SIMULATOR_TRACE shows the last steps of a run
// that fails.
#include "simulator/simulation.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "simulator/environment_for_test.h"

namespace cinnabar::simulator {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRuns = 150;
#else
constexpr uint64_t kRuns = 1000;
#endif

std::string HowToRepeat(uint64_t seed) {
  return "\n  repeat with CINNABAR_SIMULATOR_SEED=" + std::to_string(seed) + " CINNABAR_SIMULATOR_TRACE=1";
}

std::string TraceOf(uint64_t seed) {
  std::string text;
  if (!FromEnvironment("CINNABAR_SIMULATOR_TRACE")) return text;
  for (const std::string& line : Simulation(seed, PlantedBug::kNone, Tracing::kOn).Run().trace)
    text += "\n" + line;
  return text;
}

TEST(Simulation, NothingIsLostAndAllAgreeWhateverGoesWrong) {
  const auto only = FromEnvironment("CINNABAR_SIMULATOR_SEED");
  const uint64_t first = only.value_or(1);
  const uint64_t runs = FromEnvironment("CINNABAR_SIMULATOR_RUNS").value_or(only ? 1 : kRuns);
  Report sum;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    const Report report = Simulation(seed).Run();
    ASSERT_EQ(report.broken, "") << HowToRepeat(seed) << TraceOf(seed);
    sum.full_syncs += report.full_syncs;
    sum.continued += report.continued;
    sum.shifts += report.shifts;
    sum.answered += report.answered;
    sum.promotions += report.promotions;
    sum.lost_with_their_holders += report.lost_with_their_holders;
  }
  std::printf(
      "%llu runs: %llu full synchronisations, %llu continued (%llu under another id), %llu promotions, "
      "%llu writes answered after acknowledgements, of which %llu were lost with all who had them\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(sum.full_syncs),
      static_cast<unsigned long long>(sum.continued), static_cast<unsigned long long>(sum.shifts),
      static_cast<unsigned long long>(sum.promotions), static_cast<unsigned long long>(sum.answered),
      static_cast<unsigned long long>(sum.lost_with_their_holders));
  if (runs < 100) return;
  // The runs are worth something only if all of it happens.
  EXPECT_GT(sum.full_syncs, runs);
  EXPECT_GT(sum.continued, runs);
  EXPECT_GT(sum.shifts, runs / 2);
  EXPECT_GT(sum.promotions, runs);
  EXPECT_GT(sum.answered, 10 * runs);
}

TEST(Simulation, ASeedRepeatsToTheByte) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Report once = Simulation(seed).Run(), again = Simulation(seed).Run();
    EXPECT_EQ(once.digest, again.digest) << seed;
    EXPECT_EQ(once.broken, again.broken);
    EXPECT_EQ(once.answered, again.answered);
  }
  EXPECT_NE(Simulation(1).Run().digest, Simulation(2).Run().digest);
}

// The first seed that finds it, 0 if none of the first `seeds` does.
uint64_t FirstSeedThatFinds(PlantedBug bug, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Report report = Simulation(seed, bug).Run();
    if (report.broken.empty()) continue;
    std::printf("seed %llu %s\n", static_cast<unsigned long long>(seed), report.broken.c_str());
    return seed;
  }
  return 0;
}

// What would be the use of checks that find nothing?
TEST(Simulation, FindsPlantedBugs) {
  EXPECT_NE(FirstSeedThatFinds(PlantedBug::kBacklogOffByOne, 20), 0u);
  EXPECT_NE(FirstSeedThatFinds(PlantedBug::kSecondIdWithoutEnd, 100), 0u);
  EXPECT_NE(FirstSeedThatFinds(PlantedBug::kAcknowledgesWhatItRead, 1000), 0u);
  EXPECT_NE(FirstSeedThatFinds(PlantedBug::kKeepsIdWithoutStream, 100), 0u);
}

}  // namespace
}  // namespace cinnabar::simulator
