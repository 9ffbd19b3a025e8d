// The proof that parallel execution is strictly serialisable.
//
// Many clients run random commands, transactions and WATCH loops over few keys on a server with several
// cores, some of them waiting for others. The server notes, under its locks, every command with its reply in
// the order in which they ran, and its journal. Then
//   (a) the commands are replayed in that order on one thread: every reply must be the same, byte for byte;
//   (b) what each client received must be what was noted for its session;
//   (c) the journal, replayed on an empty server, must give the data set that the parallel run left;
//   (d) the journal must hold the same transactions in one piece as that of the replay.
//
// CINNABAR_HISTORY_SEED repeats a run (as far as threads allow), CINNABAR_HISTORY_ROUNDS makes it longer.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "server/history_run_for_test.h"

namespace cinnabar::server {
namespace {

// The order of KEYS depends on the hash seed of the server; everything else is compared as it is. KEYS is
// called in transactions only: the queue holds what one reply of EXEC answers.
std::string WithSortedKeys(std::string_view reply, const std::vector<Words>& queue) {
  const auto elements = ReplyElements(reply);
  if (queue.empty() || elements.size() != queue.size()) return std::string(reply);
  std::string text;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (queue[i][0] != "KEYS") {
      text += elements[i];
      continue;
    }
    auto keys = ReplyElements(elements[i]);
    std::sort(keys.begin(), keys.end());
    text += "KEYS";
    for (std::string_view key : keys) text += key;
  }
  return text;
}

struct Totals {
  size_t executed = 0;   // transactions that ran
  size_t overtaken = 0;  // aborted because a watched key had changed
  size_t refused = 0;    // EXECABORT
  size_t served = 0;     // had waited for a key
  size_t chained = 0;    // of these: moved an element on
  size_t groups = 0;     // of these: read for a group
  size_t lost = 0;       // of these: the group they waited for was gone
  size_t differences = 0;
};

enum class Replay : uint8_t { kYes, kNo };

Replay CountServed(const HistoryRecord& record, Totals& totals) {
  const std::string& name = record.argv[0];
  ++totals.served;
  totals.chained += name == "BLMOVE" || name == "BRPOPLPUSH";
  if (name != "XREADGROUP") return Replay::kYes;
  ++totals.groups;
  if (record.reply[0] != '-') return Replay::kYes;
  // Who learns that its group is gone is told so in other words than who asks for it now.
  ++totals.lost;
  return Replay::kNo;
}

// What a session did last, and beside it what all did, up to a record.
std::string Before(const std::vector<HistoryRecord>& records, size_t end) {
  constexpr size_t kShown = 12;
  std::vector<size_t> shown;
  size_t own = 0;
  for (size_t i = end; i-- > 0 && own < kShown;) {
    const bool is_own = records[i].session == records[end].session;
    own += is_own;
    if (is_own || end - i <= kShown) shown.push_back(i);
  }
  std::string text;
  for (auto i = shown.rbegin(); i != shown.rend(); ++i) {
    text += "\n    " + std::to_string(*i) + " of " + std::to_string(records[*i].session) + ": " +
            Shown(records[*i].argv) + ::testing::PrintToString(records[*i].reply.substr(0, 60));
  }
  return text;
}

// (a)
Totals ReplayHistory(const std::vector<HistoryRecord>& records, Engine& engine) {
  Totals totals;
  std::map<uint64_t, std::vector<Words>> queues;
  for (size_t i = 0; i < records.size() && totals.differences < 5; ++i) {
    const HistoryRecord& record = records[i];
    if (record.served && CountServed(record, totals) == Replay::kNo) continue;
    const Words argv = record.served ? AsServed(record.argv, record.reply) : record.argv;
    const std::string reply = engine.Run(record.session, argv);
    std::vector<Words>& queue = queues[record.session];
    const std::string& name = record.argv[0];
    if (name == "EXEC") {
      totals.refused += record.reply.starts_with("-EXECABORT");
      totals.overtaken += record.reply == "*-1\r\n" || record.reply == "_\r\n";
      totals.executed += record.reply[0] == '*' && record.reply != "*-1\r\n";
    }
    if (reply != record.reply && WithSortedKeys(reply, queue) != WithSortedKeys(record.reply, queue)) {
      ++totals.differences;
      ADD_FAILURE() << "record " << i << ", session " << record.session << ": "
                    << (record.served ? "served " : "") << Shown(argv) << "\n  parallel "
                    << ::testing::PrintToString(record.reply.substr(0, 300))  //
                    << "\n  serial   " << ::testing::PrintToString(reply.substr(0, 300))
                    << (totals.differences == 1 ? "\n  before it" + Before(records, i) : "");
    }
    if (record.reply == "+QUEUED\r\n") {
      queue.push_back(record.argv);
    } else if (name == "MULTI" || name == "EXEC" || name == "DISCARD") {
      queue.clear();
    }
  }
  return totals;
}

// The command without what two runs need not share: moments.
std::string Timeless(Words words) {
  if (words[0] == "XCLAIM") {
    const auto time = std::find(words.begin(), words.end(), "TIME");
    if (time != words.end()) time[1] = "(moment)";
  }
  return Shown(words);
}

// The journal cut into what must stay in one piece: a transaction, or a single command. Each with its
// database.
std::vector<std::string> JournalPieces(const std::string& journal) {
  std::vector<std::string> pieces;
  std::string database = "none";
  bool inside = false;
  Words piece;
  const auto end_piece = [&] {
    if (piece.empty()) return;
    std::string text = piece.size() > 1 ? "MULTI\n" : "";
    for (const std::string& line : piece) text += line;
    pieces.push_back(std::move(text));
    piece.clear();
  };
  for (const Words& words : JournalCommands(journal)) {
    if (words[0] == "SELECT") {
      database = words[1];
      continue;
    }
    if (words[0] == "MULTI") {
      EXPECT_FALSE(inside) << "MULTI inside MULTI";
      inside = true;
    } else if (words[0] == "EXEC") {
      EXPECT_TRUE(inside) << "EXEC without MULTI";
      inside = false;
      end_piece();
    } else {
      piece.push_back(database + ": " + Timeless(words) + "\n");
      if (!inside) end_piece();
    }
  }
  EXPECT_FALSE(inside) << "the journal ends inside a transaction";
  return pieces;
}

// (d)
void CompareJournals(const std::string& parallel, const std::string& serial) {
  std::vector<std::string> mine = JournalPieces(parallel), other = JournalPieces(serial);
  std::sort(mine.begin(), mine.end());
  std::sort(other.begin(), other.end());
  std::vector<std::string> only_mine, only_other;
  std::set_difference(mine.begin(), mine.end(), other.begin(), other.end(), std::back_inserter(only_mine));
  std::set_difference(other.begin(), other.end(), mine.begin(), mine.end(), std::back_inserter(only_other));
  EXPECT_TRUE(only_mine.empty()) << only_mine.size() << " pieces only in the parallel journal, such as\n"
                                 << only_mine.front();
  EXPECT_TRUE(only_other.empty()) << only_other.size() << " pieces only in the serial journal, such as\n"
                                  << only_other.front();
}

// Runs the work in parallel, proves (a) to (d), and says what happened.
Totals ProveHistory(const Work& work, ParallelRun& run) {
  const uint64_t seed = FromEnvironment("CINNABAR_HISTORY_SEED", std::random_device()());
  std::cout << "repeat with CINNABAR_HISTORY_SEED=" << seed << std::endl;
  Totals totals;
  RunInParallel(seed, work, run);
  if (::testing::Test::HasFatalFailure()) return totals;

  HistoryRecorder serial;
  DataSet serial_data;
  {
    Engine engine(&serial);
    totals = ReplayHistory(run.recorder.records(), engine);
    serial_data = engine.Dump();
  }
  std::cout << run.recorder.records().size() << " commands, " << totals.executed << " transactions, "
            << totals.overtaken << " overtaken, " << totals.refused << " refused, " << totals.served
            << " served after a wait (" << totals.chained << " moves, " << totals.groups << " for groups, "
            << totals.lost << " of them gone)" << std::endl;
  EXPECT_EQ(totals.differences, 0u);
  CompareConversations(run);
  Faults faults = Differences(serial_data, run.data, Against::kHistory);
  EXPECT_TRUE(faults.empty()) << Lines(faults);
  faults.clear();
  const DataSet replayed = ReplayJournal(run.recorder.journal(), faults);
  EXPECT_TRUE(faults.empty()) << Lines(faults);
  faults = Differences(replayed, run.data, Against::kJournal);
  EXPECT_TRUE(faults.empty()) << Lines(faults);
  CompareJournals(run.recorder.journal(), serial.journal());
  return totals;
}

TEST(History, ParallelRunEqualsItsSerialReplay) {
  ParallelRun run;
  const int rounds = Rounds(1200);
  const Totals totals = ProveHistory([rounds](HistoryClient& client, int) { client.Run(rounds); }, run);
  // A run in which nothing met would prove nothing.
  EXPECT_GT(totals.executed, 0u);
  EXPECT_GT(totals.overtaken, 0u);
  EXPECT_GT(totals.refused, 0u);
  EXPECT_GT(totals.served, 0u);
  EXPECT_GT(totals.chained, 0u);
  EXPECT_GT(totals.groups, totals.lost);
}

// What runs in between two steps of a command is as if it had run before it.
TEST(History, WhatRunsInALongCommandIsNotPartOfIt) {
  for (int cores : {1, 2, 4}) {
    ParallelRun run{.options = {.cores = cores, .yields_always = true}};
    const int rounds = Rounds(500);
    const Work work = [rounds](HistoryClient& client, int i) {
      i % 2 == 0 ? client.Run(rounds) : client.Visit(rounds);
    };
    const Totals totals = ProveHistory(work, run);
    EXPECT_GT(totals.executed, 0u);
    EXPECT_GT(run.yields, 100u);
    std::cout << run.yields << " turns given on " << cores << " cores" << std::endl;
  }
}

// Scripts run in parallel as if one ran behind the other, also those that are given up in the middle.
TEST(History, ScriptsOfAllKinds) {
  ParallelRun run;
  const int rounds = Rounds(1500);
  const Work work = [rounds](HistoryClient& client, int i) {
    i % 4 == 3 ? client.Run(rounds / 2) : client.RunScripts(rounds);
  };
  const Totals totals = ProveHistory(work, run);
  std::cout << run.scripts.runs_under_keys << " scripts under their keys, " << run.scripts.runs_alone_new
            << " alone because new, " << run.scripts.runs_alone_strayed << " because they stray, "
            << run.scripts.runs_alone_other << " for other reasons; " << run.scripts.strays << " strays, "
            << run.scripts.restarts << " begun again, " << run.scripts.undone << " of them undone"
            << std::endl;
  EXPECT_GT(totals.executed, 0u);
  EXPECT_GT(run.scripts.runs_under_keys, 0u);
  EXPECT_GE(run.scripts.restarts, run.scripts.undone);
  EXPECT_GT(run.scripts.undone, 0u);
}

// Every wait is for ever: a waiter that is passed over stops the ring.
TEST(History, ARingOfMovesNeverStops) {
  ParallelRun run;
  const int rounds = Rounds(600);
  constexpr int kLinks = kClients - 2;
  const Work work = [rounds](HistoryClient& client, int i) {
    i < kLinks ? client.MoveAlong(i, kLinks, rounds) : client.Disturb(4 * rounds);
  };
  const Totals totals = ProveHistory(work, run);
  EXPECT_GT(totals.chained, 0u);
  EXPECT_GT(totals.served, totals.chained);
  EXPECT_TRUE(run.data.contains({0, "list:0"})) << "the element has come back to where it began";
}

// Every wait is for ever, and as much is taken as is given.
TEST(History, NobodyWaitsForWhatIsThere) {
  ParallelRun run;
  const int rounds = Rounds(400);
  std::atomic<int> taken[kClients / 2] = {};
  const Work work = [rounds, &taken](HistoryClient& client, int i) {
    if (i % 4 == 3) return client.Disturb(4 * rounds);
    std::atomic<int>& pace = taken[i % (kClients / 2)];
    i < kClients / 2 ? client.Give(rounds, pace) : client.Take(rounds, pace);
  };
  const Totals totals = ProveHistory(work, run);
  EXPECT_GT(totals.served, totals.groups);
  EXPECT_GT(totals.groups, 0u);
  EXPECT_EQ(totals.lost, 0u);
  EXPECT_EQ(run.data.size(), 2u) << "only the streams are left";
}

}  // namespace
}  // namespace cinnabar::server
