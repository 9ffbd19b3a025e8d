// What the server's memory is used for, as INFO memory and MEMORY STATS show it.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/services.h"
#include "os/allocator.h"

namespace cinnabar::commands {

struct DatabaseMemory {
  int index = 0;
  uint64_t keys = 0;
  uint64_t table_bytes = 0;
};

struct MemoryFigures {
  uint64_t used = 0;
  uint64_t peak = 0;
  uint64_t startup = 0;
  uint64_t resident = 0;
  uint64_t clients = 0;        // buffers and state of ordinary connections
  uint64_t replicas = 0;       // the same of replicas' connections
  uint64_t backlog = 0;        // of the stream that replicas may go on from
  uint64_t slow_replicas = 0;  // more of it, for replicas that have not got it yet
  uint64_t aof_buffer = 0;     // what is on its way to the append-only file
  uint64_t cluster_links = 0;  // the connections of the cluster's bus, with what waits on them
  uint64_t overhead = 0;       // everything but keys and values: startup, tables, clients, buffers
  uint64_t keys = 0;
  std::vector<DatabaseMemory> databases;  // those that hold keys
  os::AllocatorStats allocator;

  // What replicas cost. What waits for nobody any more is about to be freed.
  uint64_t of_replicas() const { return replicas == 0 ? 0 : replicas + slow_replicas; }
  uint64_t dataset() const { return used > overhead ? used - overhead : 0; }
  // Of what came after the start.
  double dataset_percent() const;
  double peak_percent() const;
  uint64_t bytes_per_key() const;
};

// REQUIRES: the world is stopped.
MemoryFigures ReadMemoryFigures(const dispatch::Services& services);

// Bytes that a connection and its buffers hold, as CLIENT LIST's tot-mem shows them and maxmemory-clients
// counts them: a large value that is on its way to the client counts in full, no matter who else holds it. On
// its own core, or with the world stopped (Clients::ForEach).
uint64_t ClientMemory(const dispatch::Session& session);

}  // namespace cinnabar::commands
