// A parallel run of a history test, and what is compared afterwards: conversations, data sets, the journal.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/history_engine_for_test.h"
#include "server/history_holds_for_test.h"
#include "server/history_record_for_test.h"
#include "server/history_storm_for_test.h"
#include "server/history_workload_for_test.h"
#include "server/server.h"

namespace cinnabar::server {

constexpr int kClients = 8;

struct RunOptions {
  int cores = 4;
  // Commands that visit many elements give others a turn after each of them.
  bool yields_always = false;
  // The server keeps an append-only file and has save points: replies wait for the disk, and a HoldWatch
  // looks whether they wait long enough.
  bool keeps_files = false;
  // Puts a fault into the server before anything runs.
  std::function<void(Server&)> plant;
};

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

inline int Rounds(int otherwise) {
  return static_cast<int>(FromEnvironment("CINNABAR_HISTORY_ROUNDS", static_cast<uint64_t>(otherwise)));
}

struct ParallelRun {
  HistoryRecorder recorder;
  HoldWatch holds{recorder};
  std::vector<HistoryClient::Conversation> conversations;
  DataSet data;
  RunOptions options;
  uint64_t yields = 0;
  uint64_t expired = 0;         // keys
  uint64_t expired_fields = 0;  // of hashes
  uint64_t children = 0;        // that wrote snapshots
  dispatch::Scripts::Figures scripts;
};

// What each client does, given its number.
using Work = std::function<void(HistoryClient&, int)>;

inline void KeepFiles(config::Settings& settings) {
  settings.persistence.appendonly = true;
  settings.persistence.appendfsync = config::AppendFsync::kEverySecond;
  settings.general.hz = 100;
  if (kForks) settings.persistence.save = {{1, 1}};
}

// A figure of INFO.
inline uint64_t Figure(Server& server, const std::string& section, const std::string& name) {
  const std::string text = server.services().control.Info({section});
  const size_t at = text.find(name + ":");
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size() + 1));
}

// What is known only as long as the server is there.
inline void TakeResults(Server& server, ParallelRun& run) {
  for (dispatch::Dispatcher* dispatcher : server.services().dispatchers) {
    run.yields += dispatcher->telemetry().counters().yields.Get();
    run.expired += dispatcher->core().expired;
    run.expired_fields += dispatcher->core().expired_fields;
  }
  run.scripts = server.services().scripts->figures();
  run.children = Figure(server, "stats", "total_forks");
  run.data = DumpDataSet(server.services().keyspace);
}

// Runs the clients against a server with several cores, until all are done.
inline void RunInParallel(uint64_t seed, const Work& work, ParallelRun& run) {
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
  if (run.options.keeps_files) KeepFiles(config.Mutable());
  Logger log;
  log.SetLevel(LogLevel::kNothing);
  {
    ServerOptions options{.program = "test", .history = &run.recorder, .journal_sink = &run.recorder};
    if (run.options.keeps_files) {
      options.history = &run.holds;
      options.journal_sink = &run.holds;
    }
    Server server(config, log, options);
    run.holds.Begin(server.services());
    const Status listening = server.Listen();
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    for (dispatch::Dispatcher* dispatcher : server.services().dispatchers) {
      if (run.options.yields_always) dispatcher->long_commands().YieldAlways();
    }
    if (run.options.plant) run.options.plant(server);
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
    TakeResults(server, run);
  }
  std::filesystem::remove_all(directory);
}

// What each client received must be what was noted for its session.
inline void CompareConversations(const ParallelRun& run) {
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

// A list of what is wrong, for a test that says so or one that wants it.
using Faults = std::vector<std::string>;

inline std::string Lines(const Faults& faults) {
  std::string text = std::to_string(faults.size()) + " faults\n";
  for (size_t i = 0; i < faults.size() && i < 5; ++i) text += faults[i] + "\n";
  return text;
}

enum class Against : uint8_t { kHistory, kJournal };

// How the data set that a replay gave differs from the live one.
inline Faults Differences(const DataSet& replayed, const DataSet& live, Against source) {
  const std::string where =
      source == Against::kHistory ? "the serial replay: " : "the replay of the journal: ";
  Faults faults;
  const auto note = [&](const DataSet::key_type& key, const std::string& text) {
    faults.push_back(where + text + " " + key.second + " in database " + std::to_string(key.first));
  };
  for (const auto& [key, value] : replayed) {
    if (!live.contains(key)) note(key, "a key that the server does not have:");
  }
  for (const auto& [key, value] : live) {
    const auto found = replayed.find(key);
    if (found == replayed.end()) {
      note(key, "no key");
      continue;
    }
    const DataValue& other = found->second;
    if (other.bytes != value.bytes) {
      note(key, "the value " + ::testing::PrintToString(other.bytes.substr(0, 2000)) + " instead of " +
                    ::testing::PrintToString(value.bytes.substr(0, 2000)) + " of");
    }
    if (other.expiry != value.expiry) note(key, "another expiry of");
    if (other.digest != value.digest) note(key, "another digest of");
    if (source == Against::kHistory && other.noted != value.noted) note(key, "other deliveries of");
  }
  return faults;
}

// The data set that the journal gives. What it cannot replay is a fault.
inline DataSet ReplayJournal(const std::string& journal, Faults& faults) {
  Engine engine;
  for (const Words& words : JournalCommands(journal)) {
    const std::string reply = engine.Replay(words);
    if (reply.starts_with('-')) faults.push_back("the journal's " + Shown(words) + "answers " + reply);
  }
  return engine.Dump();
}

}  // namespace cinnabar::server
