#include "keyspace/eviction.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace cinnabar::keyspace {
namespace {

using config::EvictionPolicy;

constexpr size_t kPoolSize = 16;
constexpr uint64_t kGreatest = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kGreatest32 = std::numeric_limits<uint32_t>::max();

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

// How many entries of a table may go.
size_t Eligible(const Table<Entry>& table, EvictionPolicy policy) {
  return OnlyVolatile(policy) ? table.marked() : table.size();
}

bool IsRandom(EvictionPolicy policy) {
  return policy == EvictionPolicy::kVolatileRandom || policy == EvictionPolicy::kAllKeysRandom;
}

// A score does not change while its entry rests, so that those of entries drawn at different times compare:
// it says since when an entry rests, not for how long.
uint64_t ScoreOf(const CoreState& core, const Entry& entry, EvictionPolicy policy) {
  switch (policy) {
    case EvictionPolicy::kVolatileLru:
    case EvictionPolicy::kAllKeysLru:
      return kGreatest -
             (static_cast<uint64_t>(core.now << kClockFineBits) / 1000 - IdleTicks(entry.clock(), core.now));
    case EvictionPolicy::kVolatileLfu:
    case EvictionPolicy::kAllKeysLfu:
      // Of those that are used equally often, the one that has rested longer.
      return (uint64_t{255} - LfuCounter(entry.clock(), core.now, core.access)) << 32 |
             (kGreatest32 - (static_cast<uint64_t>(core.now << kClockFineBits) / 60000 -
                             LfuIdleTicks(entry.clock(), core.now)));
    case EvictionPolicy::kVolatileTtl:
      return kGreatest - static_cast<uint64_t>(entry.expiry());
    default:
      return 0;
  }
}

// An entry that may expire, of a table where these are a fair part of all.
const Entry& DrawMarked(const Table<Entry>& table, Random& random) {
  while (true) {
    TableSlot* slot = table.Sample([&](uint64_t n) { return random.Uniform(n); });
    if (slot->marked()) return *slot->entry<Entry>();
  }
}

// Visits `count` entries drawn at random that may expire, of at least as many. Where they are few among many
// the draw is among those of some buckets in a row: all of a bucket have the same chance, wherever in it they
// stand.
template <typename Visit>
void SampleMarked(Table<Entry>& table, Random& random, size_t count, Visit&& visit) {
  constexpr size_t kFewOf = 8;
  if (table.marked() >= table.size() / kFewOf) {
    for (size_t i = 0; i < count; ++i) visit(DrawMarked(table, random));
    return;
  }
  std::vector<const Entry*> near;
  const size_t buckets = table.bucket_count();
  const size_t first = random.Uniform(buckets);
  for (size_t i = 0; i < buckets && near.size() < 2 * count; ++i) {
    table.VisitBucket((first + i) % buckets, [&](TableSlot& slot) {
      if (slot.marked()) near.push_back(slot.entry<Entry>());
    });
  }
  for (size_t i = 0; i < count; ++i) {
    std::swap(near[i], near[i + random.Uniform(near.size() - i)]);
    visit(*near[i]);
  }
}

}  // namespace

void EvictionPool::Offer(const CoreState& core, int database, const Entry& entry, EvictionPolicy policy) {
  const uint64_t score = ScoreOf(core, entry, policy);
  if (pool_.size() == kPoolSize && score <= pool_.front().score) return;
  const uint64_t hash = core.keyspace.HashOf(entry.key());
  std::erase_if(pool_, [&](const EvictionCandidate& known) {  // it may have been used since
    return known.hash == hash && known.database == database && known.name == entry.key();
  });
  if (pool_.size() == kPoolSize) pool_.erase(pool_.begin());
  const auto place = std::upper_bound(pool_.begin(), pool_.end(), score,
                                      [](uint64_t s, const EvictionCandidate& c) { return s < c.score; });
  pool_.insert(place, {score, database, std::string(entry.key()), hash});
}

// How many entries were drawn, of all databases. REQUIRES: the shard is held.
int64_t EvictionPool::DrawFrom(CoreState& core, size_t number, EvictionPolicy policy, int64_t samples) {
  int64_t drawn = 0;
  for (int database = 0; database < core.keyspace.databases(); ++database) {
    if (core.keyspace.tables_if_any(database) == nullptr) continue;
    Table<Entry>& table = core.keyspace.table(database, number).entries;
    const size_t eligible = Eligible(table, policy);
    if (eligible == 0) continue;
    const int64_t count = IsRandom(policy) ? 1 : std::min(samples, static_cast<int64_t>(eligible));
    drawn += count;
    auto offer = [&](const Entry& entry) { Offer(core, database, entry, policy); };
    if (OnlyVolatile(policy)) {
      SampleMarked(table, core.random, static_cast<size_t>(count), offer);
    } else {
      for (int64_t i = 0; i < count; ++i)
        offer(*table.Sample([&](uint64_t n) { return core.random.Uniform(n); })->entry<Entry>());
    }
  }
  return drawn;
}

// Draws from one shard, or from several where they hold few keys. False when no key may go.
bool EvictionPool::DrawFromShards(CoreState& core, EvictionPolicy policy, int64_t wanted) {
  int64_t drawn = 0;
  const size_t first = core.random.Uniform(Keyspace::kShards);
  for (size_t i = 0; i < Keyspace::kShards && drawn < wanted; ++i) {
    const size_t shard = (first + i) % Keyspace::kShards;
    if (!core.keyspace.LockUnlessLong(shard)) continue;
    drawn += DrawFrom(core, shard, policy, wanted - drawn);
    core.keyspace.Unlock(shard);
  }
  return drawn > 0;
}

// Draws from tables with chances in proportion to what they hold. False when no key may go.
bool EvictionPool::DrawFromSlots(CoreState& core, EvictionPolicy policy, int64_t wanted) {
  constexpr int kTriesMost = 64;  // of tables that have become empty since they were weighed
  int64_t drawn = 0;
  for (int tries = 0; tries < kTriesMost && drawn < wanted; ++tries) {
    if (draws_left_ <= 0 || (drawn == 0 && tries == kTriesMost / 2)) Weigh(core, policy);
    --draws_left_;
    if (reach_.back() == 0) break;
    const uint64_t ticket = core.random.Uniform(reach_.back());
    const auto number = static_cast<size_t>(std::ranges::upper_bound(reach_, ticket) - reach_.begin());
    const size_t shard = Keyspace::ShardOfTable(number);
    if (!core.keyspace.LockUnlessLong(shard)) continue;
    drawn += DrawFrom(core, number, policy, wanted - drawn);
    core.keyspace.Unlock(shard);
  }
  return drawn > 0;
}

void EvictionPool::Weigh(CoreState& core, EvictionPolicy policy) {
  constexpr int kDrawsBetween = 1024;
  draws_left_ = kDrawsBetween;
  Keyspace& keyspace = core.keyspace;
  reach_.assign(keyspace.tables(), 0);
  for (size_t shard = 0; shard < Keyspace::kShards; ++shard) {
    if (!keyspace.LockUnlessLong(shard)) continue;
    for (size_t number = shard; number < keyspace.tables(); number += Keyspace::kShards) {
      for (int database = 0; database < keyspace.databases(); ++database) {
        if (const ShardTable* first = keyspace.tables_if_any(database))
          reach_[number] += Eligible(first[number].entries, policy);
      }
    }
    keyspace.Unlock(shard);
  }
  std::partial_sum(reach_.begin(), reach_.end(), reach_.begin());
}

bool EvictionPool::Draw(CoreState& core, EvictionPolicy policy, int64_t samples) {
  const int64_t wanted = IsRandom(policy) ? 1 : samples;
  return core.keyspace.layout() == Layout::kBySlot ? DrawFromSlots(core, policy, wanted)
                                                   : DrawFromShards(core, policy, wanted);
}

bool EvictionPool::StillDue(const CoreState& core, const Entry& entry, const EvictionCandidate& candidate,
                            EvictionPolicy policy) {
  if (OnlyVolatile(policy) && !entry.has_expiry()) return false;
  return ScoreOf(core, entry, policy) >= candidate.score;
}

std::optional<EvictionCandidate> EvictionPool::Next(CoreState& core, EvictionPolicy policy, int64_t samples) {
  if (policy == EvictionPolicy::kNoEviction) return std::nullopt;
  if (policy != policy_ || IsRandom(policy)) pool_.clear();
  if (policy != policy_) draws_left_ = 0;
  policy_ = policy;
  if (!Draw(core, policy, samples) || pool_.empty()) return std::nullopt;
  EvictionCandidate best = std::move(pool_.back());
  pool_.pop_back();
  return best;
}

}  // namespace cinnabar::keyspace
