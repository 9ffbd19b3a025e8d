// Cron: the periodic work of the server: each core's part (expiry, a slice of defragmentation), and on core 0
// that of the whole (loading at start, files, statistics, the end of a pause, signals).
#pragma once

#include <functional>

#include "dispatch/services.h"
#include "server/cluster_service.h"
#include "server/core.h"
#include "server/core_threads.h"
#include "server/data_files.h"
#include "server/defragmentation.h"
#include "server/peer_links.h"
#include "server/replication_role.h"
#include "server/sentinel_service.h"
#include "server/server_statistics.h"
#include "server/shutdown_sequence.h"

namespace cinnabar::server {

class Cron final : public CoreWork {
 public:
  struct Parts {
    const Cores& cores;
    dispatch::Services& services;
    ServerDataFiles& files;
    Defragmentation& defragmentation;
    ServerStatistics& statistics;
    ShutdownSequence& shutdown;
    CoreThreads& threads;
    PeerLinks& peers;
    Replicas& replicas;
    Following& following;
    ReplicationRole& role;
    SentinelService* sentinel;  // null unless this process is one
    ClusterService* cluster;    // null unless it is a node of a cluster
  };
  // All parts must outlive this. `on_loaded` is called once, on core 0, when a data set that was being loaded
  // is complete.
  Cron(const Parts& parts, std::function<void()> on_loaded)
      : parts_(parts), on_loaded_(std::move(on_loaded)) {}

  // The data set of the start is there. Once, on core 0, or before the cores run.
  void DataSetIsThere();

  // The files of the start cannot be loaded: says so in the log.
  void TellOfFailedLoad(const Error& error);

  // CoreWork:
  Millis Work(int core) override;
  void OnCron(int core) override;
  bool Quiet() const override;
  void TurnEnded(int core) override { parts_.replicas.TurnEnded(core); }

 private:
  void FailToLoad(const Error& error);
  void ExpireSome(int core);
  void OnServerCron();
  void EndPause();
  Millis Load();
  Millis WorkForData(int core);

  const Parts parts_;
  const std::function<void()> on_loaded_;
  bool loaded_ = false;  // the data set of the start
};

}  // namespace cinnabar::server
