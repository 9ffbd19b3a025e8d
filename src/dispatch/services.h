// Services: what a handler may ask of the server beyond its keys. Each is a small class or port of its own
// (clients.h, server_control.h, data_files.h, observers.h, server_state.h); the composition root
// (server/) makes them and hands them to every core.
//
// Size: one place where all ports meet; it has no behaviour of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "dispatch/clients.h"
#include "dispatch/data_files.h"
#include "dispatch/observers.h"
#include "dispatch/peers.h"
#include "dispatch/replication.h"
#include "dispatch/scripts.h"
#include "dispatch/server_control.h"
#include "dispatch/server_state.h"

namespace cinnabar::cluster {
class Cluster;
}
namespace cinnabar::config {
class Config;
struct Settings;
}  // namespace cinnabar::config
namespace cinnabar::journal {
class Journal;
}
namespace cinnabar::keyspace {
class Keyspace;
}
namespace cinnabar::pubsub {
class Channels;
}
namespace cinnabar::sentinel {
class Sentinel;
}
namespace cinnabar::telemetry {
class SlowLog;
class LatencyMonitor;
}  // namespace cinnabar::telemetry

namespace cinnabar::dispatch {

class AccessControl;
class ClusterBus;
class Registry;
class Dispatcher;
class Tracking;
struct Routing;

struct Services {
  config::Config& config;
  const config::Settings& settings;
  keyspace::Keyspace& keyspace;
  journal::Journal& journal;
  Registry& registry;
  Clients& clients;
  ServerControl& control;
  telemetry::SlowLog& slow_log;
  telemetry::LatencyMonitor& latency;
  Logger& log;
  PauseState& pause;
  DebugSwitches& debug;
  // One dispatcher per core; the statistics of the others may be read with the world stopped.
  std::vector<Dispatcher*>& dispatchers;
  std::atomic<uint64_t>& monitors;  // sessions in MONITOR mode
  HistoryObserver* history = nullptr;
  KeyspaceNotifier* notifier = nullptr;
  AccessControl* access = nullptr;         // always there in a server
  pubsub::Channels* channels = nullptr;    // always there in a server
  DataFiles* files = nullptr;              // always there in a server
  Replication* replication = nullptr;      // always there in a server
  Scripts* scripts = nullptr;              // always there in a server
  sentinel::Sentinel* sentinel = nullptr;  // null unless this process is a sentinel
  cluster::Cluster* cluster = nullptr;     // null unless this server is a node of a cluster
  ClusterBus* cluster_bus = nullptr;       // likewise
  const Routing* routing = nullptr;        // likewise
  RunningScripts running_scripts{};
  std::atomic<uint64_t> script_writes{0};  // scripts that were busy and had written, by their number
  std::atomic<bool> ending{false};  // SHUTDOWN NOSAVE has put an end to a script: nothing else runs any more
  Tracking* tracking = nullptr;     // always there in a server
  Peers* peers = nullptr;           // always there in a server
  Durability durability{};
  MemoryPressure memory_pressure{};
  std::atomic<uint32_t> alarms{0};         // Alarm bits
  std::atomic<bool> stream_rests{false};   // until replicas have all of it: it grows by clients' writes alone
  std::atomic<uint32_t> long_commands{0};  // commands that have yielded and not ended, on all cores
  std::atomic<uint32_t> peer_waits{0};  // those that wait for another server, with their shards, on all cores
};

}  // namespace cinnabar::dispatch
