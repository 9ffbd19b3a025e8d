#include "commands/server/memory_figures.h"

#include <algorithm>

#include "cluster/cluster.h"
#include "dispatch/blocking.h"
#include "dispatch/session.h"
#include "dispatch/tracking.h"
#include "keyspace/keyspace.h"
#include "os/memory_info.h"

namespace cinnabar::commands {

double MemoryFigures::dataset_percent() const {
  const uint64_t net = used > startup ? used - startup : 0;
  return net == 0 ? 0.0 : 100.0 * static_cast<double>(dataset()) / static_cast<double>(net);
}

double MemoryFigures::peak_percent() const {
  return peak == 0 ? 0.0 : 100.0 * static_cast<double>(used) / static_cast<double>(peak);
}

uint64_t MemoryFigures::bytes_per_key() const {
  const uint64_t net = used > startup ? used - startup : 0;
  return keys == 0 ? 0 : net / keys;
}

namespace {

size_t MemoryOf(const dispatch::BlockedCall& blocked) {
  size_t bytes = sizeof blocked + OutputBuffer::kFixedBytesMin;
  for (const std::string& argument : blocked.argv) bytes += sizeof argument + argument.size();
  for (const auto& key : blocked.keys) bytes += sizeof key + key.name.size();
  return bytes;
}

}  // namespace

uint64_t ClientMemory(const dispatch::Session& session) {
  const size_t subscriptions = session.subscribed() ? session.subscriber->memory() : 0;
  const size_t prefixes = session.tracking == nullptr ? 0 : session.tracking->prefix_memory;
  const size_t waiting = session.blocked == nullptr ? 0 : MemoryOf(*session.blocked);
  return sizeof(dispatch::Session) + session.output.fixed_capacity() + session.output.chunk_memory() +
         session.facts.query_memory + session.transaction.queue_memory + session.transaction.watch_memory +
         subscriptions + prefixes + waiting;
}

MemoryFigures ReadMemoryFigures(const dispatch::Services& services) {
  MemoryFigures figures;
  figures.used = services.control.UsedMemory();
  figures.peak = std::max(services.control.PeakMemory(), figures.used);
  figures.startup = services.control.StartupMemory();
  figures.resident = os::ResidentBytes();
  figures.allocator = os::ReadAllocatorStats();
  // A value that several hold is counted once, so that the parts add up to what is used.
  services.clients.ForEach([&](dispatch::Session& session) {
    (session.replica() ? figures.replicas : figures.clients) +=
        ClientMemory(session) - session.output.memory_of_others();
  });
  if (services.replication != nullptr) {
    const dispatch::Replication::StreamMemory kept = services.replication->KeptMemory();
    figures.backlog = kept.backlog;
    figures.slow_replicas = kept.beyond;
  }
  if (services.cluster != nullptr) figures.cluster_links = services.cluster->TotalsOfLinks().memory;
  figures.aof_buffer = services.control.UncountedMemory() - figures.slow_replicas;
  figures.overhead = figures.startup + figures.clients + figures.replicas + figures.backlog +
                     figures.slow_replicas + figures.aof_buffer + figures.cluster_links;
  for (int i = 0; i < services.keyspace.databases(); ++i) {
    if (services.keyspace.tables_if_any(i) == nullptr) continue;
    const uint64_t keys = services.keyspace.Size(i);
    if (keys == 0) continue;
    figures.databases.push_back({i, keys, services.keyspace.TableMemory(i)});
    figures.keys += keys;
    figures.overhead += figures.databases.back().table_bytes;
  }
  return figures;
}

}  // namespace cinnabar::commands
