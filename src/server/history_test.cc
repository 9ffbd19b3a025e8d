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
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include "server/history_engine_for_test.h"
#include "server/history_record_for_test.h"
#include "server/history_workload_for_test.h"
#include "server/server.h"

namespace cinnabar::server {
namespace {

constexpr int kClients = 8;

struct RunOptions {
  int cores = 4;
  // Commands that visit many elements give others a turn after each of them.
  bool yields_always = false;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct ParallelRun {
  HistoryRecorder recorder;
  std::vector<HistoryClient::Conversation> conversations;
  DataSet data;
  RunOptions options;
  uint64_t yields = 0;
};

// What each client does, given its number.
using Work = std::function<void(HistoryClient&, int)>;

// Runs the clients against a server with several cores, until all are done.
void RunInParallel(uint64_t seed, const Work& work, ParallelRun& run) {
  std::string directory = ::testing::TempDir() + "cinnabar_history_XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/socket";
  auto files = config::MakeSystemConfigFiles();
  config::Config config(*files);
  config.Mutable().general.threads = run.options.cores;
  config.Mutable().network.port = 0;
  config.Mutable().network.unixsocket = path;
  config.Mutable().persistence.dir = directory;
  config.Mutable().persistence.save = {};  // FLUSHALL would write a file
  Logger log;
  log.SetLevel(LogLevel::kNothing);
  {
    Server server(config, log,
                  ServerOptions{.program = "test", .history = &run.recorder, .journal_sink = &run.recorder});
    const Status listening = server.Listen();
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    for (dispatch::Dispatcher* dispatcher : server.services().dispatchers) {
      if (run.options.yields_always) dispatcher->long_commands().YieldAlways();
    }
    std::vector<std::unique_ptr<HistoryClient>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<HistoryClient>(path, "client" + std::to_string(i), seed + i));
    }
    std::thread conductor([&] {
      std::vector<std::thread> threads;
      for (int i = 0; i < kClients; ++i) threads.emplace_back([&, i] { work(*clients[i], i); });
      for (std::thread& thread : threads) thread.join();
      server.Stop();
    });
    server.Run();
    conductor.join();
    for (auto& client : clients) {
      for (const auto& conversation : client->conversations()) run.conversations.push_back(conversation);
    }
    for (dispatch::Dispatcher* dispatcher : server.services().dispatchers) {
      run.yields += dispatcher->telemetry().counters().yields.Get();
    }
    run.data = DumpDataSet(server.services().keyspace);
  }
  std::filesystem::remove_all(directory);
}

std::string Shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += ::testing::PrintToString(word.substr(0, 60)) + " ";
  return text;
}

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

// (b)
void CompareConversations(const ParallelRun& run) {
  std::map<uint64_t, std::string> noted;
  std::map<std::string, uint64_t> session_of;
  for (const HistoryRecord& record : run.recorder.records()) {
    if (noted[record.session].empty()) session_of[record.argv.back()] = record.session;
    if (record.reply != kWaits) noted[record.session] += record.reply;
  }
  for (const auto& conversation : run.conversations) {
    ASSERT_TRUE(session_of.contains(conversation.tag)) << conversation.tag;
    const std::string& all = noted[session_of[conversation.tag]];
    EXPECT_TRUE(conversation.complete ? all == conversation.received : all.starts_with(conversation.received))
        << conversation.tag;
  }
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

enum class Against : uint8_t { kHistory, kJournal };

void CompareData(const DataSet& got, const DataSet& want, Against source) {
  const char* what = source == Against::kHistory ? "the serial replay" : "the replay of the journal";
  EXPECT_EQ(got.size(), want.size()) << what;
  for (const auto& [key, value] : want) {
    auto found = got.find(key);
    ASSERT_TRUE(found != got.end()) << what << ": no key " << key.second << " in database " << key.first;
    EXPECT_TRUE(found->second.bytes == value.bytes)
        << what << ": another value of " << key.second << ":\n"
        << ::testing::PrintToString(found->second.bytes.substr(0, 2000)) << "\ninstead of\n"
        << ::testing::PrintToString(value.bytes.substr(0, 2000));
    EXPECT_EQ(found->second.expiry, value.expiry) << what << ": another expiry of " << key.second;
    EXPECT_EQ(found->second.digest, value.digest) << what << ": another digest of " << key.second;
    if (source == Against::kHistory) {
      EXPECT_EQ(found->second.noted, value.noted) << what << ": other deliveries of " << key.second;
    }
  }
}

// (c)
DataSet ReplayJournal(const std::string& journal) {
  Engine engine;
  for (const Words& words : JournalCommands(journal)) {
    const std::string reply = engine.Run(1, words);
    EXPECT_FALSE(reply.starts_with('-')) << "the journal's " << Shown(words) << "answers " << reply;
    if (reply.starts_with('-')) break;
  }
  return engine.Dump();
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
  CompareData(serial_data, run.data, Against::kHistory);
  CompareData(ReplayJournal(run.recorder.journal()), run.data, Against::kJournal);
  CompareJournals(run.recorder.journal(), serial.journal());
  return totals;
}

int Rounds(int otherwise) {
  return static_cast<int>(FromEnvironment("CINNABAR_HISTORY_ROUNDS", static_cast<uint64_t>(otherwise)));
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
