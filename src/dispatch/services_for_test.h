// A dispatcher with everything it needs and no server around it, and a few small commands to run on it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "dispatch/access_control.h"
#include "dispatch/args.h"
#include "dispatch/dispatcher.h"
#include "keyspace/string_value.h"
#include "telemetry/latency_monitor.h"
#include "telemetry/slow_log.h"

namespace cinnabar::dispatch {

class NoClients final : public Clients {
 public:
  void ForEach(const std::function<void(Session&)>& visit) override {
    for (Session* session : sessions) visit(*session);
  }
  Session* Find(uint64_t) override { return nullptr; }
  void Close(Session&, const Session*) override {}
  void Wake(Session&) override { ++woken; }
  void Resume(std::shared_ptr<BlockedCall>) override {}
  size_t Count() const override { return 0; }
  std::string Describe(const Session&) const override { return ""; }
  void FeedMonitors(std::string line) override { monitored.push_back(std::move(line)); }
  std::vector<std::string> monitored;
  std::vector<Session*> sessions;  // those that ForEach knows
  int woken = 0;
};

class NoControl final : public ServerControl {
 public:
  Result<Shutting> Shutdown(const ShutdownRequest&) override { return Shutting::kEnds; }
  bool AbortShutdown() override { return false; }
  uint64_t FailedShutdowns() const override { return 0; }
  void PauseChanged() override {}
  std::string Info(const std::vector<std::string>&) override { return ""; }
  void ResetStatistics() override {}
  uint64_t UsedMemory() override { return 0; }
  uint64_t UncountedMemory() override { return 0; }
  uint64_t PeakMemory() override { return 0; }
  uint64_t StartupMemory() override { return 0; }
  std::string_view RunId() const override { return ""; }
  Millis StartedAt() const override { return 0; }
  int Cores() const override { return 1; }
  void Defer(std::function<void()> work) override { work(); }
};

class JournalText final : public journal::JournalSink {
 public:
  void OnBytes(uint64_t, std::string_view bytes) override { text += bytes; }
  std::string text;
};

class Events final : public KeyspaceNotifier {
 public:
  void OnKeyspaceEvent(uint32_t, std::string_view event, int database, std::string_view key) override {
    seen.push_back(std::to_string(database) + " " + std::string(event) + " " + std::string(key));
  }
  std::vector<std::string> seen;
};

// Runs commands of the given tables on one core.
class DispatchTest : public testing::Test {
 protected:
  explicit DispatchTest(std::span<const CommandSpec> commands,
                        keyspace::Layout layout = keyspace::Layout::kByHash, int cores = 1)
      : keyspace_(4, HashKey(1), cores, layout), tables_{commands}, registry_(tables_) {
    log_.SetLevel(LogLevel::kNothing);
    journal_.AddSink(written_);
    config_.Mutable().observation.notify_keyspace_events = ~uint32_t{0};
    dispatcher_ = std::make_unique<Dispatcher>(services_, 0, 1);
    dispatchers_.push_back(dispatcher_.get());
  }

  Dispatcher::Outcome Execute(Session& session, const std::vector<std::string>& words) {
    batch_.Clear();
    for (const std::string& word : words) batch_.arguments.push_back(word);
    dispatcher_->preparer().Prepare(batch_, session, 0);
    return dispatcher_->Execute(session, batch_, batch_.requests[0]);
  }
  static std::string Take(OutputBuffer& output) {
    std::string text;
    iovec part;
    while (output.Gather(&part, 1) == 1) {
      text.append(static_cast<const char*>(part.iov_base), part.iov_len);
      output.Consume(part.iov_len);
    }
    return text;
  }
  std::string Run(Session& session, const std::vector<std::string>& words) {
    Execute(session, words);
    return Take(session.output);
  }
  std::string Run(const std::vector<std::string>& words) { return Run(session_, words); }
  // The journal since the last call, words separated by blanks and commands by " | ".
  std::string Journal() {
    std::string shown, text = std::exchange(written_.text, "");
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find("\r\n", at);
      const std::string line = text.substr(at, end - at);
      if (line[0] == '*' && !shown.empty()) shown += " |";
      if (line[0] != '*' && line[0] != '$') shown += (shown.empty() ? "" : " ") + line;
      at = end + 2;
    }
    return shown;
  }

  std::unique_ptr<config::ConfigFiles> files_ = config::MakeSystemConfigFiles();
  config::Config config_{*files_};
  keyspace::Keyspace keyspace_;
  journal::Journal journal_;
  JournalText written_;
  std::vector<std::span<const CommandSpec>> tables_;
  Registry registry_;
  NoClients clients_;
  NoControl control_;
  telemetry::SlowLog slow_log_;
  telemetry::LatencyMonitor latency_;
  Logger log_;
  PauseState pause_;
  DebugSwitches debug_;
  std::vector<Dispatcher*> dispatchers_;
  std::atomic<uint64_t> monitors_{0};
  Events events_;
  AccessControl access_{registry_, clients_, config_.settings()};
  Services services_{.config = config_,
                     .settings = config_.settings(),
                     .keyspace = keyspace_,
                     .journal = journal_,
                     .registry = registry_,
                     .clients = clients_,
                     .control = control_,
                     .slow_log = slow_log_,
                     .latency = latency_,
                     .log = log_,
                     .pause = pause_,
                     .debug = debug_,
                     .dispatchers = dispatchers_,
                     .monitors = monitors_,
                     .notifier = &events_,
                     .access = &access_};
  std::unique_ptr<Dispatcher> dispatcher_;
  Batch batch_;
  Session session_{1, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

}  // namespace cinnabar::dispatch
