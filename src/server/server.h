// Server: the composition root. It makes every part, plugs them together, owns the cores, the listeners and
// the cron, and ends the process in order.
//
// Made and run on the main thread, which becomes core 0.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "dispatch/registry.h"
#include "dispatch/services.h"
#include "journal/journal.h"
#include "keyspace/keyspace.h"
#include "os/allocator.h"
#include "os/crash_report.h"
#include "os/oom_score.h"
#include "os/signals.h"
#include "os/watchdog.h"
#include "pubsub/channels.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/defragmentation.h"
#include "server/keyspace_events.h"
#include "server/message_delivery.h"
#include "server/worker.h"
#include "telemetry/latency_monitor.h"
#include "telemetry/rate_sampler.h"
#include "telemetry/slow_log.h"

namespace cinnabar::server {

struct ServerOptions {
  std::string program;     // argv[0], for INFO and the process title
  std::string executable;  // its absolute path
  std::string version;     // of this program
  dispatch::HistoryObserver* history = nullptr;
  journal::JournalSink* journal_sink = nullptr;
  // How a connection's bytes come and go; takes the descriptor over. None: a plain socket.
  std::function<std::unique_ptr<net::Transport>(int fd)> make_transport;
  // Called when the process title should be set anew.
  std::function<void(std::string_view)> set_title;
};

class Server final : public CoreOwner, public dispatch::Clients, public dispatch::ServerControl {
 public:
  Server(config::Config& config, Logger& log, ServerOptions options);
  ~Server() override;

  // Opens the listeners; the error is the text for the log.
  Status Listen();
  // Serves until a shutdown; returns the exit code.
  int Run();
  // Ends Run, from any thread.
  void Stop();

  // Tests: the ports that were opened.
  int port() const;
  dispatch::Services& services() { return services_; }

  // For the crash report: no allocation, no locks.
  void WriteCrashSections(RawWriter& out) const;

  // CoreOwner:
  const std::vector<std::unique_ptr<Core>>& cores() const override { return cores_; }
  uint64_t NextClientId() override { return next_client_id_.fetch_add(1, std::memory_order_relaxed); }
  std::unique_ptr<net::Transport> MakeTransport(int fd) override;
  void OnListenerReady(void* token) override;
  Millis Work(int core) override;
  void OnCron(int core) override;
  bool Quiet() const override;
  void OnClosed(dispatch::Session& session) override;
  void EvictClients(int core) override;
  void Dismiss(dispatch::Session& session) override;
  void OnLongCommandEnded() override;

  // dispatch::Clients:
  void ForEach(const std::function<void(dispatch::Session&)>& visit) override;
  dispatch::Session* Find(uint64_t id) override;
  void Close(dispatch::Session& session, const dispatch::Session* caller) override;
  void Wake(dispatch::Session& session) override;
  void Resume(std::shared_ptr<dispatch::BlockedCall> call) override;
  size_t Count() const override;
  void FeedMonitors(std::string line) override;

  // dispatch::ServerControl:
  Status Shutdown(const dispatch::ShutdownRequest& request) override;
  bool AbortShutdown() override;
  void PauseChanged() override;
  std::string Info(const std::vector<std::string>& sections) override;
  void ResetStatistics() override;
  uint64_t UsedMemory() override { return meter_.Used(); }
  uint64_t UncountedMemory() override { return files_->append_only().memory(); }
  uint64_t PeakMemory() override { return peak_memory_; }
  uint64_t StartupMemory() override { return startup_memory_; }
  std::string_view RunId() const override { return run_id_; }
  void ChangeReplicationId() override;
  Millis StartedAt() const override { return started_at_; }
  int Cores() const override { return static_cast<int>(cores_.size()); }
  void Defer(std::function<void()> work) override;

 private:
  friend class InfoReport;

  // More of the journal is as safe as replies ask for, or on disk. Any thread.
  void OnReleased(uint64_t offset);

  // What a core's thread has for the case that it crashes or hangs. Made and used on that thread.
  struct ThreadGuards {
    explicit ThreadGuards(const Logger& log) : watchdog(log) {}
    os::AlternateSignalStack stack;
    os::Watchdog watchdog;
  };

  struct Listener {
    int fd = -1;
    std::string address;
    bool unix_socket = false;
  };

  Result<std::vector<Listener>> OpenTcp(const config::Settings& settings);
  Status OpenUnix();
  Status RegisterListeners();
  void CloseListener(Listener& listener);
  Status ApplyListening(const config::Settings& old, const config::Settings& now);
  void RegisterAppliers();
  void AcceptSome(Listener& listener);
  bool RefuseConnection(const net::Accepted& accepted);
  void LogBanner();
  void UpdateTitle();
  void ServerCron();
  void AnnounceReady();
  void FailToLoad(const Error& error);
  void OnSignal();
  void EndAsAsked();
  static void OnSignalAgain(void* context, int signal, int unanswered);
  void RunCore(size_t index);
  void ApplyWatchdog(size_t index);
  Status ApplyOomScore(const config::Settings& settings);
  void RegisterProcessAppliers();

  config::Config& config_;
  const config::Settings& settings_;
  Logger& log_;
  ServerOptions options_;
  os::MemoryMeter meter_;
  os::ThreadMemory main_thread_memory_;
  dispatch::Registry registry_;
  std::unique_ptr<keyspace::Keyspace> keyspace_;
  journal::Journal journal_;
  telemetry::SlowLog slow_log_;
  telemetry::LatencyMonitor latency_;
  dispatch::PauseState pause_;
  dispatch::DebugSwitches debug_;
  std::vector<dispatch::Dispatcher*> dispatchers_;
  std::atomic<uint64_t> monitors_{0};
  MessageDelivery delivery_{cores_};
  pubsub::Channels channels_{delivery_};
  KeyspaceEvents keyspace_events_{settings_, channels_};
  dispatch::Services services_;
  ClientMemory client_memory_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  os::TerminationSignals signals_{OnSignalAgain, this};
  std::vector<ThreadGuards*> guards_;
  os::OomScore oom_score_;
  std::unique_ptr<ServerDataFiles> files_;
  std::unique_ptr<Defragmentation> defragmentation_;
  std::unique_ptr<Worker> worker_;

  std::string run_id_;
  std::string replication_id_;
  config::Supervised supervised_ = config::Supervised::kNo;  // by whom, as found out at start
  Millis started_at_ = 0;
  std::atomic<uint64_t> next_client_id_{1};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> shutting_down_{false};  // what is needed for it is being done
  std::atomic<int> asked_to_end_{0};        // by this signal, which nobody has acted on yet
  int exit_code_ = 0;
  uint64_t startup_memory_ = 0;
  uint64_t peak_memory_ = 0;
  uint64_t connections_received_ = 0;
  uint64_t connections_rejected_ = 0;
  uint64_t clients_closed_ = 0;
  std::atomic<uint64_t> lazyfree_pending_{0};
  std::atomic<uint64_t> lazyfreed_{0};
  telemetry::RateSampler commands_rate_;
  telemetry::RateSampler input_rate_;
  telemetry::RateSampler output_rate_;
  telemetry::RateSampler turns_rate_;
  telemetry::RateSampler turn_micros_rate_;
};

}  // namespace cinnabar::server
