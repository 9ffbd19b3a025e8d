#include "keyspace/eviction.h"

#include <algorithm>
#include <limits>

namespace cinnabar::keyspace {
namespace {

using config::EvictionPolicy;

bool OnlyVolatile(EvictionPolicy policy) {
  switch (policy) {
    case EvictionPolicy::kVolatileLru:
    case EvictionPolicy::kVolatileLfu:
    case EvictionPolicy::kVolatileRandom:
    case EvictionPolicy::kVolatileTtl:
      return true;
    default:
      return false;
  }
}

bool IsRandom(EvictionPolicy policy) {
  return policy == EvictionPolicy::kVolatileRandom || policy == EvictionPolicy::kAllKeysRandom;
}

uint64_t ScoreOf(const CoreState& core, const Entry& entry, EvictionPolicy policy) {
  switch (policy) {
    case EvictionPolicy::kVolatileLru:
    case EvictionPolicy::kAllKeysLru:
      return IdleSeconds(entry.clock(), core.now);
    case EvictionPolicy::kVolatileLfu:
    case EvictionPolicy::kAllKeysLfu:
      return 255u - LfuCounter(entry.clock(), core.now, core.access);
    case EvictionPolicy::kVolatileTtl:
      return std::numeric_limits<uint64_t>::max() - static_cast<uint64_t>(entry.expiry());
    default:
      return 0;
  }
}

// Visits up to `count` entries drawn at random that may expire: those of buckets in a row from a random one
// on.
template <typename Visit>
void SampleMarked(Table<Entry>& table, Random& random, int64_t count, Visit&& visit) {
  const size_t buckets = table.bucket_count();
  const size_t first = random.Uniform(buckets);
  for (size_t i = 0; i < buckets && count > 0; ++i) {
    table.VisitBucket((first + i) % buckets, [&](TableSlot& slot) {
      if (!slot.marked() || count == 0) return;
      --count;
      visit(*slot.entry<Entry>());
    });
  }
}

}  // namespace

void EvictionPool::Offer(const CoreState& core, int database, const Entry& entry, EvictionPolicy policy) {
  const uint64_t score = ScoreOf(core, entry, policy);
  if (pool_.size() == kPoolSize && score <= pool_.front().score) return;
  const uint64_t hash = core.keyspace.HashOf(entry.key());
  for (const EvictionCandidate& known : pool_) {
    if (known.hash == hash && known.database == database && known.name == entry.key()) return;
  }
  if (pool_.size() == kPoolSize) pool_.erase(pool_.begin());
  const auto place = std::upper_bound(pool_.begin(), pool_.end(), score,
                                      [](uint64_t s, const EvictionCandidate& c) { return s < c.score; });
  pool_.insert(place, {score, database, std::string(entry.key()), hash});
}

// True when the shard had an entry that may go.
bool EvictionPool::DrawFrom(CoreState& core, size_t shard, EvictionPolicy policy, int64_t samples) {
  bool any = false;
  for (int database = 0; database < core.keyspace.databases(); ++database) {
    if (core.keyspace.tables_if_any(database) == nullptr) continue;
    Table<Entry>& table = core.keyspace.table(database, shard).entries;
    const size_t eligible = OnlyVolatile(policy) ? table.marked() : table.size();
    if (eligible == 0) continue;
    any = true;
    const int64_t count = IsRandom(policy) ? 1 : std::min(samples, static_cast<int64_t>(eligible));
    auto offer = [&](const Entry& entry) { Offer(core, database, entry, policy); };
    if (OnlyVolatile(policy)) {
      SampleMarked(table, core.random, count, offer);
    } else {
      for (int64_t i = 0; i < count; ++i)
        offer(*table.Sample([&](uint64_t n) { return core.random.Uniform(n); })->entry<Entry>());
    }
  }
  return any;
}

bool EvictionPool::Draw(CoreState& core, EvictionPolicy policy, int64_t samples) {
  const size_t first = core.random.Uniform(Keyspace::kShards);
  for (size_t i = 0; i < Keyspace::kShards; ++i) {
    const size_t shard = (first + i) % Keyspace::kShards;
    core.keyspace.Lock(shard);
    const bool any = DrawFrom(core, shard, policy, samples);
    core.keyspace.Unlock(shard);
    if (any) return true;
  }
  return false;
}

std::optional<EvictionCandidate> EvictionPool::Next(CoreState& core, EvictionPolicy policy, int64_t samples) {
  if (policy == EvictionPolicy::kNoEviction) return std::nullopt;
  if (policy != policy_ || IsRandom(policy)) pool_.clear();
  policy_ = policy;
  if (!Draw(core, policy, samples) || pool_.empty()) return std::nullopt;
  EvictionCandidate best = std::move(pool_.back());
  pool_.pop_back();
  return best;
}

}  // namespace cinnabar::keyspace
