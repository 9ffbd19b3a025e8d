#include "commands/server/memory_figures.h"

#include <algorithm>

#include "dispatch/session.h"
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

uint64_t ClientMemory(const dispatch::Session& session) {
  return sizeof(dispatch::Session) + session.output.fixed_capacity() + session.output.chunk_memory() +
         session.facts.query_memory + session.facts.partial_argument_bytes + session.transaction.queue_memory;
}

MemoryFigures ReadMemoryFigures(const dispatch::Services& services) {
  MemoryFigures figures;
  figures.used = services.control.UsedMemory();
  figures.peak = std::max(services.control.PeakMemory(), figures.used);
  figures.startup = services.control.StartupMemory();
  figures.resident = os::ResidentBytes();
  figures.allocator = os::ReadAllocatorStats();
  services.clients.ForEach([&](dispatch::Session& session) { figures.clients += ClientMemory(session); });
  figures.overhead = figures.startup + figures.clients;
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
