// The proof that the journal tells all, and that no reply tells more than the disk has.
//
// Many clients work on a server whose commands give the others a turn after every element, while keys expire
// and are set again, clients wait for each other, the writers are paused now and then and snapshots are
// written. Then
//   (a) what each client received must be what was noted for its session;
//   (b) the journal, replayed on one thread, must give the data set that the server has at the end. A key or
//       a field that has expired and was not removed stands in both: the journal says itself what goes, and
//       nothing else does while it is replayed;
//   (c) no session's hold_until may lie before what its replies have told (HoldWatch).
//
// Two faults that a server has had are put into it on purpose, to see that they are found. The same faults in
// the server itself are found by TheJournalTellsAll... as well: with `run_.hides_expired` handed on from the
// outer run in NestedRun's constructor (each of 18 runs on 1, 2 and 4 cores found it), and with the notes of
// ServeDeferred and ServeReady left out (each of 5 seeds found it, 12 of 15 runs).
//
// CINNABAR_HISTORY_SEED repeats a run (as far as threads allow), CINNABAR_HISTORY_ROUNDS makes it longer.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "server/history_plants_for_test.h"
#include "server/history_run_for_test.h"
#include "server/history_storm_for_test.h"

namespace cinnabar::server {
namespace {

uint64_t Seed() {
  const uint64_t seed = FromEnvironment("CINNABAR_HISTORY_SEED", std::random_device()());
  std::cout << "repeat with CINNABAR_HISTORY_SEED=" << seed << std::endl;
  return seed;
}

// Three read what is long, three write, one waits, one waits or rules.
std::vector<Words> Next(StormSource& source, int client) {
  if (client < 3) return source.OneIn(4) ? source.Write() : source.Read();
  if (client < 6) return source.OneIn(4) ? source.Read() : source.Write();
  if (client == 7 && source.OneIn(12)) return source.Rule();
  return source.Wait();
}

// Runs the storm and says what is wrong with it: (b) and (c).
Faults RunStorm(uint64_t seed, int rounds, ParallelRun& run) {
  const Work work = [seed, rounds](HistoryClient& client, int i) {
    StormSource source(seed * kClients + static_cast<uint64_t>(i), std::to_string(i));
    client.Converse([&, round = 0]() mutable -> std::vector<Words> {
      if (round == 0 && i == 0) return ++round, source.Fill();
      return ++round > rounds ? std::vector<Words>() : Next(source, i);
    });
  };
  run.options.yields_always = run.options.keeps_files = true;
  RunInParallel(seed, work, run);
  if (::testing::Test::HasFatalFailure()) return {"it did not run"};
  Faults faults = run.holds.faults();
  const DataSet replayed = ReplayJournal(run.recorder.journal(), faults);
  const Faults differences = Differences(replayed, run.data, Against::kJournal);
  faults.insert(faults.end(), differences.begin(), differences.end());
  std::cout << run.recorder.records().size() << " commands on " << run.options.cores << " cores, "
            << run.yields << " turns given, " << run.expired << " keys and " << run.expired_fields
            << " fields expired, " << run.children << " snapshots, " << run.holds.checks()
            << " held offsets looked at, " << faults.size() << " faults" << std::endl;
  return faults;
}

TEST(HistoryStorm, TheJournalTellsAllAndRepliesTellNoMore) {
  const uint64_t seed = Seed();
  for (int cores : {1, 2, 4}) {
    ParallelRun run{.options = {.cores = cores}};
    const Faults faults = RunStorm(seed, Rounds(800), run);
    EXPECT_TRUE(faults.empty()) << Lines(faults);
    CompareConversations(run);
    // A run in which nothing happened would prove nothing.
    EXPECT_GT(run.yields, 100u);
    EXPECT_GT(run.expired, 10u);
    EXPECT_GT(run.expired_fields, 0u);
    EXPECT_GT(run.holds.checks(), 100u);
  }
}

// Runs storms on one core with a fault in the server until one of them shows it.
bool Finds(Plant& plant, std::string_view said) {
  constexpr int kStorms = 20;
  const uint64_t seed = Seed();
  for (uint64_t storm = 0; storm < kStorms; ++storm) {
    ParallelRun run{.options = {.cores = 1, .plant = [&plant](Server& server) { plant.Into(server); }}};
    const Faults faults = RunStorm(seed + storm, Rounds(200), run);
    if (::testing::Test::HasFatalFailure()) return false;
    if (!faults.empty()) std::cout << "found: " << faults[0].substr(0, 200) << std::endl;
    for (const std::string& fault : faults) {
      if (fault.find(said) != std::string::npos) return true;
    }
  }
  return false;
}

TEST(HistoryStorm, FindsAWriteThatDoesNotSeeWhatHasExpired) {
  ExpiryLeftOff plant;
  EXPECT_TRUE(Finds(plant, "the replay of the journal"));
}

TEST(HistoryStorm, FindsAChangeThatNoShardKnowsOf) {
  DeferredNotNoted plant;
  EXPECT_TRUE(Finds(plant, "may leave when the disk has the journal up to"));
  EXPECT_GT(plant.undone(), 0u);
}

}  // namespace
}  // namespace cinnabar::server
