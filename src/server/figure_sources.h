// FigureSources: the parts of the server that have figures: what INFO shows, and CONFIG RESETSTAT sets back.
#pragma once

#include <string>

#include "config/settings.h"
#include "dispatch/services.h"
#include "server/client_memory.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/defragmentation.h"
#include "server/listeners.h"
#include "server/replication_role.h"
#include "server/server_statistics.h"
#include "server/shutdown_sequence.h"

namespace cinnabar::server {

// What this process is.
struct ServerIdentity {
  std::string executable;  // its absolute path
  std::string version;     // of this program
  std::string run_id;
  Millis started_at = 0;
  config::Supervised supervised = config::Supervised::kNo;  // by whom, as found out at start
};

// With the world stopped, unless a part says otherwise.
struct FigureSources {
  const ServerIdentity& identity;
  const Cores& cores;
  dispatch::Services& services;
  Listeners& listeners;
  ClientMemory& client_memory;
  ServerStatistics& statistics;
  ServerDataFiles& files;
  Replicas& replicas;
  Following& following;
  ReplicationRole& role;
  Defragmentation& defragmentation;
  ShutdownSequence& shutdown;
};

}  // namespace cinnabar::server
