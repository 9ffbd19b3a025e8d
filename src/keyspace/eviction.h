// Which key to give up when memory is full: the eight policies of maxmemory-policy.
//
// LRU, LFU and TTL are approximated as Redis documents it: a few entries are drawn at random, the best of all
// that were drawn lately stay in a small pool, and the best of the pool goes
// (https://redis.io/docs/reference/eviction/#approx-lru). An entry that has been used since it was drawn is
// spared. One pool per core; the shards that are drawn from are locked one at a time.
//
// Shards hold about equally many keys, but the slots of a cluster do not: most may be another node's, and one
// may have all keys of a tag. Where each slot has a table, tables are drawn by what they hold, which is
// looked up now and then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "keyspace/database.h"

namespace cinnabar::keyspace {

struct EvictionCandidate {
  uint64_t score = 0;  // higher goes earlier
  int database = 0;
  std::string name;
  uint64_t hash = 0;
};

class EvictionPool {
 public:
  // The key that should go next. Nothing when no key may be evicted. It may have gone meanwhile, or have been
  // used: then ask again. REQUIRES: no shard is held.
  std::optional<EvictionCandidate> Next(CoreState& core, config::EvictionPolicy policy, int64_t samples);
  // Whether the entry still deserves to go, as it did when the candidate was drawn.
  static bool StillDue(const CoreState& core, const Entry& entry, const EvictionCandidate& candidate,
                       config::EvictionPolicy policy);

 private:
  bool Draw(CoreState& core, config::EvictionPolicy policy, int64_t samples);
  bool DrawFromShards(CoreState& core, config::EvictionPolicy policy, int64_t wanted);
  bool DrawFromSlots(CoreState& core, config::EvictionPolicy policy, int64_t wanted);
  int64_t DrawFrom(CoreState& core, size_t number, config::EvictionPolicy policy, int64_t samples);
  void Weigh(CoreState& core, config::EvictionPolicy policy);
  void Offer(const CoreState& core, int database, const Entry& entry, config::EvictionPolicy policy);

  config::EvictionPolicy policy_ = config::EvictionPolicy::kNoEviction;  // of the scores in the pool
  std::vector<EvictionCandidate> pool_;                                  // ascending by score
  // Of the layout by slot: how many keys might go in the tables up to each, when they were last weighed.
  std::vector<uint64_t> reach_;
  int draws_left_ = 0;  // before they are weighed anew
};

}  // namespace cinnabar::keyspace
