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
  // The data set stands still during a pause, whoever asked for it.
  if (services_.pause.mode != PauseMode::kNone && core_.now < services_.pause.until) return Room::kEnough;
  const config::Memory& memory = services_.settings.memory;
  if (memory.maxmemory_policy == config::EvictionPolicy::kNoEviction) return Room::kNone;
  // What could go may be in use by the command that has yielded.
  if (yielding_) return Room::kSoon;
  const Ticks began = clock_.Now();
  const Ticks deadline =
      began + clock_.ToTicks(PatienceFor(memory.maxmemory_eviction_tenacity) * kNanosPerMicro);
  Room room = Room::kEnough;
  int tries_in_vain = 0;
  for (;;) {
    // Nobody else has to go for what is about to be free. Asked before memory is: what became free between
    // the two questions would count in neither answer the other way round.
    const bool freeing = services_.evictions_pending.load(std::memory_order_acquire) > 0;
    if (!OverMemory()) break;
    if (freeing) {
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

// Values that are freed in the background go one after the other, all cores together: true if it is this
// core's turn, and memory is still over the limit.
bool Dispatcher::MayFreeLater() {
  uint64_t none = 0;
  std::atomic<uint64_t>& pending = services_.evictions_pending;
  if (!pending.compare_exchange_strong(none, 1, std::memory_order_acq_rel)) return false;
  if (OverMemory()) return true;
  pending.fetch_sub(1, std::memory_order_release);
  return false;
}

bool Dispatcher::Evict(const keyspace::EvictionCandidate& candidate) {
  const keyspace::Key key{candidate.name, candidate.hash};
  bool later = false;
  const size_t shard = Keyspace::ShardOf(key.hash);
  const bool lazy = services_.settings.memory.lazyfree_lazy_eviction;
  const config::EvictionPolicy policy = services_.settings.memory.maxmemory_policy;
  core_.keyspace.Lock(shard);
  keyspace::Database database(core_, candidate.database);
  Entry* gone = nullptr;
  const EntryRef found = database.FindWrite(key, keyspace::Use::kSilent);
  bool goes = found && keyspace::EvictionPool::StillDue(core_, *found, candidate, policy);
  if (goes && lazy && found->slow_to_free()) goes = later = MayFreeLater();
  if (EntryRef entry = found; goes) {
    database.MarkChanged(key);
    gone = database.Take(key, entry);
    counters_.evicted.Add();
    if (services_.journal.active())
      run_.effects.Add(candidate.database, {lazy ? "UNLINK" : "DEL", key.bytes});
    if ((services_.settings.observation.notify_keyspace_events & config::kNotifyEvicted) != 0 &&
        services_.notifier != nullptr) {
      services_.notifier->OnKeyspaceEvent(config::kNotifyEvicted, "evicted", candidate.database, key.bytes);
    }
  }
  EndChanges(shard);
  core_.keyspace.Unlock(shard);
  if (!deferred_.empty()) ServeDeferred();
  if (gone == nullptr) return false;
  if (!later) {
    Entry::Destroy(gone);
    return true;
  }
  services_.control.Defer([gone, &pending = services_.evictions_pending] {
    Entry::Destroy(gone);
    pending.fetch_sub(1, std::memory_order_release);
  });
  return true;
}

}  // namespace cinnabar::dispatch
