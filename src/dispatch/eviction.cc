// Eviction: keys are given up, as maxmemory-policy says, before a command would run with memory over the
// limit.
//
// It happens outside of any command, one key and one shard at a time. A command waits for it only briefly:
// what is left is evicted between the next commands, and meanwhile nobody gets an error.
#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatch/dispatcher.h"
#include "keyspace/eviction.h"
#include "telemetry/latency_monitor.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Entry;
using keyspace::EntryRef;
using keyspace::Keyspace;

// How long a command may wait: 50 µs for each of the first ten points of the tenacity, then longer and
// longer.
Micros PatienceFor(int64_t tenacity) {
  if (tenacity >= 100) return std::numeric_limits<Micros>::max() / 1'000'000;
  if (tenacity <= 10) return 50 * tenacity;
  return static_cast<Micros>(500.0 * std::pow(1.15, static_cast<double>(tenacity) - 10.0));
}

}  // namespace

bool Dispatcher::OverMemory() const {
  const auto most = static_cast<uint64_t>(services_.settings.memory.maxmemory_bytes);
  if (most == 0) return false;
  const uint64_t used = services_.control.UsedMemory();
  return used > most && used > most + services_.control.UncountedMemory();
}

// For how long memory has been over the limit, all cores together.
void Dispatcher::NoteOverMemory(bool over) {
  std::atomic<Millis>& since = services_.memory_exceeded_since;
  if (over) {
    Millis none = 0;
    if (since.load(std::memory_order_relaxed) == 0) since.compare_exchange_strong(none, core_.now);
  } else if (since.load(std::memory_order_relaxed) != 0) {
    const Millis began = since.exchange(0);
    if (began != 0 && core_.now > began)
      counters_.millis_over_memory.Add(static_cast<uint64_t>(core_.now - began));
  }
}

Dispatcher::Room Dispatcher::MakeRoom() {
  const Room room = OverMemory() ? EvictSome() : Room::kEnough;
  evicting_ = room == Room::kSoon;
  NoteOverMemory(room != Room::kEnough);
  return room;
}

Dispatcher::Room Dispatcher::EvictSome() {
  const config::Memory& memory = services_.settings.memory;
  if (memory.maxmemory_policy == config::EvictionPolicy::kNoEviction) return Room::kNone;
  // What could go may be in use by the command that has yielded.
  if (yielding_) return Room::kSoon;
  const Ticks began = clock_.Now();
  const Ticks deadline =
      began + clock_.ToTicks(PatienceFor(memory.maxmemory_eviction_tenacity) * kNanosPerMicro);
  Room room = Room::kEnough;
  int tries_in_vain = 0;
  while (OverMemory()) {
    // Nobody else has to go for what is about to be free.
    if (services_.evictions_pending.load(std::memory_order_relaxed) > 0) {
      room = Room::kSoon;
      break;
    }
    const auto candidate = eviction_pool_->Next(core_, memory.maxmemory_policy, memory.maxmemory_samples);
    if (!candidate || tries_in_vain > 1000) {
      room = Room::kNone;
      break;
    }
    tries_in_vain = Evict(*candidate) ? 0 : tries_in_vain + 1;
    if (clock_.Now() > deadline) {
      room = Room::kSoon;
      break;
    }
  }
  const Micros spent = clock_.ToMicros(clock_.Now() - began);
  services_.latency.AddIfSlow("eviction-cycle", spent / 1000, core_.now / 1000);
  return room;
}

bool Dispatcher::Evict(const keyspace::EvictionCandidate& candidate) {
  const keyspace::Key key{candidate.name, candidate.hash};
  const size_t shard = Keyspace::ShardOf(key.hash);
  const bool lazy = services_.settings.memory.lazyfree_lazy_eviction;
  const config::EvictionPolicy policy = services_.settings.memory.maxmemory_policy;
  core_.keyspace.Lock(shard);
  keyspace::Database database(core_, candidate.database);
  Entry* gone = nullptr;
  const EntryRef found = database.FindWrite(key, keyspace::Use::kSilent);
  if (EntryRef entry = found; found && keyspace::EvictionPool::StillDue(core_, *found, candidate, policy)) {
    database.MarkChanged(key);
    gone = database.Take(key, entry);
    counters_.evicted.Add();
    if (services_.journal.active()) effects_.Add(candidate.database, {lazy ? "UNLINK" : "DEL", key.bytes});
    if ((services_.settings.observation.notify_keyspace_events & config::kNotifyEvicted) != 0 &&
        services_.notifier != nullptr) {
      services_.notifier->OnKeyspaceEvent(config::kNotifyEvicted, "evicted", candidate.database, key.bytes);
    }
  }
  EndChanges();
  core_.keyspace.Unlock(shard);
  if (!deferred_.empty()) ServeDeferred();
  if (gone == nullptr) return false;
  if (!lazy || !gone->slow_to_free()) {
    Entry::Destroy(gone);
    return true;
  }
  std::atomic<uint64_t>& pending = services_.evictions_pending;
  pending.fetch_add(1, std::memory_order_relaxed);
  services_.control.Defer([gone, &pending] {
    Entry::Destroy(gone);
    pending.fetch_sub(1, std::memory_order_relaxed);
  });
  return true;
}

}  // namespace cinnabar::dispatch
