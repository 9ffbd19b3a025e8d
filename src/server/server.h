// Server: the composition root. It makes every part of the process, plugs them together, starts and ends them
// in order. What a part does stands in its own file; nothing below asks the server itself for anything.
//
// Made and run on the main thread, which becomes core 0.
// Size: each member is a part of the process, declared in the order in which the parts need each other.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dispatch/registry.h"
#include "dispatch/services.h"
#include "dispatch/tracking.h"
#include "journal/journal.h"
#include "keyspace/keyspace.h"
#include "os/allocator.h"
#include "os/crash_report.h"
#include "os/oom_score.h"
#include "pubsub/channels.h"
#include "server/client_directory.h"
#include "server/cluster_service.h"
#include "server/core.h"
#include "server/core_threads.h"
#include "server/cron.h"
#include "server/data_files.h"
#include "server/defragmentation.h"
#include "server/invalidations.h"
#include "server/keyspace_events.h"
#include "server/listeners.h"
#include "server/message_delivery.h"
#include "server/peer_links.h"
#include "server/process_control.h"
#include "server/release_gate.h"
#include "server/replication_role.h"
#include "server/sentinel_service.h"
#include "server/server_statistics.h"
#include "server/shutdown_sequence.h"
#include "server/tls_contexts.h"
#include "server/worker.h"
#include "telemetry/latency_monitor.h"
#include "telemetry/slow_log.h"

namespace cinnabar::server {

struct ServerOptions {
  std::string program;     // argv[0], for the process title
  std::string executable;  // its absolute path, for INFO
  std::string version;     // of this program
  dispatch::HistoryObserver* history = nullptr;
  journal::JournalSink* journal_sink = nullptr;
  bool sentinel = false;            // it watches other servers instead of keeping data
  TransportFactory make_transport;  // of what lies below TLS; none: plain sockets
  // Called when the process title should be set anew.
  std::function<void(std::string_view)> set_title;
};

class Server {
 public:
  Server(config::Config& config, Logger& log, ServerOptions options);
  ~Server();

  // Makes the users, reads the certificates and opens the listeners; the error is the text for the log.
  Status Listen();
  // Serves until a shutdown; returns the exit code.
  int Run();
  // Ends Run, from any thread.
  void Stop() { shutdown_.Stop(); }

  // Tests: what the commands see.
  dispatch::Services& services() { return services_; }

  // For the crash report: no allocation, no locks.
  void WriteCrashSections(RawWriter& out) const;

 private:
  // State that Services refers to and no part owns.
  struct Shared {
    explicit Shared(const config::Settings& settings);
    telemetry::SlowLog slow_log;
    telemetry::LatencyMonitor latency;
    dispatch::PauseState pause;
    dispatch::DebugSwitches debug;
    std::vector<dispatch::Dispatcher*> dispatchers;
    std::atomic<uint64_t> monitors{0};
  };

  dispatch::Services MakeServices();
  std::unique_ptr<ClusterService> MakeCluster();
  ServerDataFiles::Listeners FileListeners();
  void MakeCores();
  void AnnounceReady();
  void UpdateTitle();
  Status ApplyOomScore(const config::Settings& settings);
  void RegisterAppliers();
  void RegisterNetworkAppliers();
  void RegisterProcessAppliers();

  config::Config& config_;
  const config::Settings& settings_;
  Logger& log_;
  const ServerOptions options_;
  ServerIdentity identity_;
  os::MemoryMeter meter_;
  os::ThreadMemory main_thread_memory_{meter_};
  dispatch::Registry registry_;
  std::unique_ptr<keyspace::Keyspace> keyspace_;
  journal::Journal journal_;
  Shared shared_;
  MessageDelivery delivery_{cores_};
  pubsub::Channels channels_{delivery_};
  KeyspaceEvents keyspace_events_{settings_, channels_};
  ClientMemory client_memory_;
  ServerStatistics statistics_{meter_};
  TlsContexts tls_{log_};
  ClientDirectory clients_;
  dispatch::AccessControl access_{registry_, clients_, settings_};
  ProcessControl control_;
  dispatch::Services services_;
  std::unique_ptr<dispatch::Scripts> scripts_;
  InvalidationPost invalidation_post_{cores_};
  dispatch::Tracking tracking_;
  PeerLinks peers_;
  Cores cores_;
  ReleaseGate release_gate_{services_, cores_};
  Worker worker_{meter_};
  Listeners listeners_;
  ServerDataFiles files_;  // its log reports to the cores: it goes before them
  Replicas replicas_;
  Following following_;
  ReplicationRole role_;
  std::unique_ptr<SentinelService> sentinel_;  // null unless this process is one
  std::unique_ptr<ClusterService> cluster_;    // null unless it is a node of a cluster
  Defragmentation defragmentation_;
  ShutdownSequence shutdown_;
  CoreThreads threads_;
  Cron cron_;
  os::OomScore oom_score_;
};

}  // namespace cinnabar::server
