// Memory: limits, eviction, freeing, defragmentation, and when a small collection becomes a large one.
#include "config/internal/param.h"
#include "config/internal/special_values.h"

namespace cinnabar::config {

namespace {

constexpr ChoiceName kPolicies[] = {
    {"volatile-lru", EvictionPolicy::kVolatileLru},       {"volatile-lfu", EvictionPolicy::kVolatileLfu},
    {"volatile-random", EvictionPolicy::kVolatileRandom}, {"volatile-ttl", EvictionPolicy::kVolatileTtl},
    {"allkeys-lru", EvictionPolicy::kAllKeysLru},         {"allkeys-lfu", EvictionPolicy::kAllKeysLfu},
    {"allkeys-random", EvictionPolicy::kAllKeysRandom},   {"noeviction", EvictionPolicy::kNoEviction}};

constexpr Param kMemory[] = {
    {.name = "maxmemory",
     .value = Bytes{At<&Memory::maxmemory_bytes>},
     .doc = "How much memory the data may use; 0 is no limit. Beyond it maxmemory-policy decides what goes. "
            "Leave room for replication buffers and for copy-on-write during snapshots."},
    {.name = "maxmemory-policy",
     .value = OneOf<&Memory::maxmemory_policy>(kPolicies),
     .doc = "What to evict at the limit: among keys with a time to live (volatile) or among all, the least "
            "recently used, the least frequently used, those that expire soonest, or any; noeviction answers "
            "an error to writes instead."},
    {.name = "maxmemory-samples",
     .value = Integer{At<&Memory::maxmemory_samples>, 1, kMaxInt},
     .doc = "How many keys to compare per eviction. More is closer to true LRU and costs more CPU."},
    {.name = "maxmemory-eviction-tenacity",
     .value = Integer{At<&Memory::maxmemory_eviction_tenacity>, 0, 100},
     .doc = "How much latency eviction may cause: 0 as little as possible, 100 no matter how much."},
    {.name = "lfu-log-factor",
     .value = Integer{At<&Memory::lfu_log_factor>, 0, kMaxInt},
     .doc = "How slowly the access counters of LFU grow; with a higher factor more accesses are told apart."},
    {.name = "lfu-decay-time",
     .value = Integer{At<&Memory::lfu_decay_time_minutes>, 0, kMaxInt},
     .doc = "After how many minutes such a counter falls by one; 0 never."},
    {.name = "active-expire-effort",
     .value = Integer{At<&Memory::active_expire_effort>, 1, 10},
     .doc = "How hard to look for expired keys that nobody asks for, from 1 to 10. More frees memory sooner "
            "and costs CPU."},
};

constexpr Param kLazyFree[] = {
    {.name = "lazyfree-lazy-eviction",
     .value = YesNo{At<&Memory::lazyfree_lazy_eviction>},
     .doc = "Free evicted values in the background."},
    {.name = "lazyfree-lazy-expire",
     .value = YesNo{At<&Memory::lazyfree_lazy_expire>},
     .doc = "Free expired values in the background."},
    {.name = "lazyfree-lazy-server-del",
     .value = YesNo{At<&Memory::lazyfree_lazy_server_del>},
     .doc = "Free in the background what a command deletes as a side effect, such as the target of RENAME."},
    {.name = "lazyfree-lazy-user-del",
     .value = YesNo{At<&Memory::lazyfree_lazy_user_del>},
     .doc = "Let DEL behave like UNLINK."},
    {.name = "lazyfree-lazy-user-flush",
     .value = YesNo{At<&Memory::lazyfree_lazy_user_flush>},
     .doc = "Let FLUSHALL, FLUSHDB, SCRIPT FLUSH and FUNCTION FLUSH work in the background unless they say "
            "SYNC."},
};

constexpr Param kDefrag[] = {
    {.name = "activedefrag",
     .value = YesNo{At<&Memory::activedefrag>},
     .doc = "Move values together while the server runs, to give fragmented memory back."},
    {.name = "active-defrag-ignore-bytes",
     .value = Bytes{At<&Memory::active_defrag_ignore_bytes>, 1},
     .doc = "Do not start before so many bytes are wasted."},
    {.name = "active-defrag-threshold-lower",
     .value = Integer{At<&Memory::active_defrag_threshold_lower>, 0, 1000},
     .doc = "Do not start below this percentage of waste."},
    {.name = "active-defrag-threshold-upper",
     .value = Integer{At<&Memory::active_defrag_threshold_upper>, 0, 1000},
     .doc = "Work with full effort from this percentage of waste on."},
    {.name = "active-defrag-cycle-min",
     .value = Integer{At<&Memory::active_defrag_cycle_min>, 1, 99},
     .doc = "Percentage of CPU time to spend at the lower threshold."},
    {.name = "active-defrag-cycle-max",
     .value = Integer{At<&Memory::active_defrag_cycle_max>, 1, 99},
     .doc = "Percentage of CPU time to spend at the upper threshold."},
    {.name = "active-defrag-max-scan-fields",
     .value = Integer{At<&Memory::active_defrag_max_scan_fields>, 1},
     .doc = "Collections with more elements than this are moved in several steps."},
};

constexpr Param kEncoding[] = {
    {.name = "hash-max-listpack-entries",
     .aliases = {"hash-max-ziplist-entries"},
     .value = Integer{At<&Encoding::hash_max_listpack_entries>},
     .doc = "A hash with at most so many fields is stored packed."},
    {.name = "hash-max-listpack-value",
     .aliases = {"hash-max-ziplist-value"},
     .value = Bytes{At<&Encoding::hash_max_listpack_value_bytes>},
     .doc = "Unless a field or value is longer than this many bytes."},
    {.name = "list-max-listpack-size",
     .aliases = {"list-max-ziplist-size"},
     .value = Integer{At<&Encoding::list_max_listpack_size>, kMinInt, kMaxInt},
     .doc = "The size of one packed piece of a list: a positive number counts elements; -1 to -5 mean 4, 8, "
            "16, 32 and 64 kilobytes."},
    {.name = "list-compress-depth",
     .value = Integer{At<&Encoding::list_compress_depth>, 0, kMaxInt},
     .doc = "How many pieces at each end of a list stay uncompressed; 0 compresses nothing."},
    {.name = "set-max-intset-entries",
     .value = Integer{At<&Encoding::set_max_intset_entries>},
     .doc = "A set of integers with at most so many members is stored as a sorted array."},
    {.name = "set-max-listpack-entries",
     .value = Integer{At<&Encoding::set_max_listpack_entries>},
     .flags = kNewer,
     .doc = "Another set with at most so many members is stored packed."},
    {.name = "set-max-listpack-value",
     .value = Bytes{At<&Encoding::set_max_listpack_value_bytes>},
     .flags = kNewer,
     .doc = "Unless a member is longer than this many bytes."},
    {.name = "zset-max-listpack-entries",
     .aliases = {"zset-max-ziplist-entries"},
     .value = Integer{At<&Encoding::zset_max_listpack_entries>},
     .doc = "A sorted set with at most so many members is stored packed."},
    {.name = "zset-max-listpack-value",
     .aliases = {"zset-max-ziplist-value"},
     .value = Bytes{At<&Encoding::zset_max_listpack_value_bytes>},
     .doc = "Unless a member is longer than this many bytes."},
    {.name = "hll-sparse-max-bytes",
     .value = Bytes{At<&Encoding::hll_sparse_max_bytes>},
     .doc = "A HyperLogLog larger than this becomes dense, which takes 12 kilobytes and is faster."},
    {.name = "stream-node-max-bytes",
     .value = Bytes{At<&Encoding::stream_node_max_bytes>},
     .doc = "The size of one node of a stream in bytes; 0 is no limit."},
    {.name = "stream-node-max-entries",
     .value = Integer{At<&Encoding::stream_node_max_entries>},
     .doc = "The size of one node of a stream in entries; 0 is no limit."},
};

}  // namespace

constinit const std::span<const Param> kMemoryParams = kMemory;
constinit const std::span<const Param> kLazyFreeParams = kLazyFree;
constinit const std::span<const Param> kDefragParams = kDefrag;
constinit const std::span<const Param> kEncodingParams = kEncoding;

}  // namespace cinnabar::config
