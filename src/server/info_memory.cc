// INFO memory.
#include "commands/server/memory_figures.h"
#include "os/memory_info.h"
#include "server/info.h"

namespace cinnabar::server {
namespace {

double Ratio(uint64_t value, uint64_t of) {
  return of == 0 ? 0.0 : static_cast<double>(value) / static_cast<double>(of);
}

int64_t Difference(uint64_t value, uint64_t from) {
  return static_cast<int64_t>(value) - static_cast<int64_t>(from);
}

std::string_view PolicyName(config::EvictionPolicy policy) {
  switch (policy) {
    case config::EvictionPolicy::kVolatileLru:
      return "volatile-lru";
    case config::EvictionPolicy::kVolatileLfu:
      return "volatile-lfu";
    case config::EvictionPolicy::kVolatileRandom:
      return "volatile-random";
    case config::EvictionPolicy::kVolatileTtl:
      return "volatile-ttl";
    case config::EvictionPolicy::kAllKeysLru:
      return "allkeys-lru";
    case config::EvictionPolicy::kAllKeysLfu:
      return "allkeys-lfu";
    case config::EvictionPolicy::kAllKeysRandom:
      return "allkeys-random";
    case config::EvictionPolicy::kNoEviction:
      return "noeviction";
  }
  return "noeviction";
}

}  // namespace

void InfoReport::MemorySection() {
  const commands::MemoryFigures figures = commands::ReadMemoryFigures(sources_.services);
  const os::AllocatorStats& allocator = figures.allocator;
  Bytes("used_memory", figures.used);
  Bytes("used_memory_rss", figures.resident);
  Bytes("used_memory_peak", figures.peak);
  Field("used_memory_peak_perc", fmt::format("{:.2f}%", figures.peak_percent()));
  Field("used_memory_overhead", figures.overhead);
  Field("used_memory_startup", figures.startup);
  Field("used_memory_dataset", figures.dataset());
  Field("used_memory_dataset_perc", fmt::format("{:.2f}%", figures.dataset_percent()));
  Field("allocator_allocated", allocator.allocated);
  Field("allocator_active", allocator.active);
  Field("allocator_resident", allocator.resident);
  Field("allocator_muzzy", allocator.muzzy);
  Bytes("total_system_memory", os::TotalSystemBytes());
  MemoryOfScripts();
  Bytes("maxmemory", static_cast<uint64_t>(sources_.services.settings.memory.maxmemory_bytes));
  Field("maxmemory_policy", PolicyName(sources_.services.settings.memory.maxmemory_policy));
  Ratio("allocator_frag_ratio", server::Ratio(allocator.active, allocator.allocated));
  Field("allocator_frag_bytes", Difference(allocator.active, allocator.allocated));
  Ratio("allocator_rss_ratio", server::Ratio(allocator.resident, allocator.active));
  Field("allocator_rss_bytes", Difference(allocator.resident, allocator.active));
  Ratio("rss_overhead_ratio", server::Ratio(figures.resident, allocator.resident));
  Field("rss_overhead_bytes", Difference(figures.resident, allocator.resident));
  Ratio("mem_fragmentation_ratio", server::Ratio(figures.resident, figures.used));
  Field("mem_fragmentation_bytes", Difference(figures.resident, figures.used));
  Field("mem_not_counted_for_evict", figures.aof_buffer + figures.slow_replicas);
  Field("mem_replication_backlog", figures.backlog);
  Field("mem_total_replication_buffers", figures.backlog + figures.slow_replicas);
  Field("mem_clients_slaves", figures.of_replicas());
  Field("mem_clients_normal", figures.clients);
  Field("mem_cluster_links", figures.cluster_links);
  Field("mem_aof_buffer", figures.aof_buffer);
  Field("mem_allocator", os::AllocatorName());
  Field("mem_overhead_db_hashtable_rehashing", 0);
  Field("active_defrag_running", sources_.defragmentation.percent());
  Field("lazyfree_pending_objects", sources_.statistics.lazyfree_pending.load(std::memory_order_relaxed));
  Field("lazyfreed_objects", sources_.statistics.lazyfreed.load(std::memory_order_relaxed));
}

void InfoReport::MemoryOfScripts() {
  const dispatch::Scripts::Figures figures = sources_.services.scripts->figures();
  Bytes("used_memory_lua", figures.vm_eval_bytes);
  Field("used_memory_vm_eval", figures.vm_eval_bytes);
  Field("used_memory_scripts_eval", figures.text_bytes);
  Field("number_of_cached_scripts", figures.scripts);
  Field("number_of_functions", figures.functions);
  Field("number_of_libraries", figures.libraries);
  Field("used_memory_vm_functions", figures.vm_function_bytes);
  Bytes("used_memory_vm_total", figures.vm_eval_bytes + figures.vm_function_bytes);
  Field("used_memory_functions", figures.library_bytes);
  Bytes("used_memory_scripts", figures.text_bytes + figures.library_bytes);
}

}  // namespace cinnabar::server
