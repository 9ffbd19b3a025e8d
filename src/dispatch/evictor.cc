#include "dispatch/evictor.h"

#include <cmath>
#include <limits>

#include "config/settings.h"
#include "dispatch/blocked_calls.h"
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

Evictor::Evictor(CoreContext& context, CoreCounters& counters, BlockedCalls& blocked)
    : context_(context),
      counters_(counters),
      blocked_(blocked),
      pool_(std::make_unique<keyspace::EvictionPool>()) {}

bool Evictor::OverMemory() const {
  const auto most = static_cast<uint64_t>(context_.services.settings.memory.maxmemory_bytes);
  if (most == 0) return false;
  const uint64_t used = context_.services.control.UsedMemory();
  if (used <= most) return false;
  const uint64_t told = context_.services.memory_pressure.invalidation_bytes.load(std::memory_order_relaxed);
  return used > most + context_.services.control.UncountedMemory() + told;
}

// For how long memory has been over the limit, all cores together.
void Evictor::NoteOverMemory(bool over) {
  std::atomic<Millis>& since = context_.services.memory_pressure.exceeded_since;
  if (over) {
    Millis none = 0;
    if (since.load(std::memory_order_relaxed) == 0) since.compare_exchange_strong(none, context_.core.now);
  } else if (since.load(std::memory_order_relaxed) != 0) {
    const Millis began = since.exchange(0);
    if (began != 0 && context_.core.now > began)
      counters_.millis_over_memory.Add(static_cast<uint64_t>(context_.core.now - began));
  }
}

bool Evictor::IgnoresLimit() const {
  return context_.follows && context_.services.settings.replication.replica_ignore_maxmemory;
}

Evictor::Room Evictor::MakeRoom() {
  const Room room = !IgnoresLimit() && OverMemory() ? EvictSome() : Room::kEnough;
  due_ = room == Room::kSoon;
  NoteOverMemory(room != Room::kEnough);
  return room;
}

Evictor::Room Evictor::EvictSome() {
  // The data set stands still during a pause, no matter which client asked for it.
  if (context_.services.pause.mode != PauseMode::kNone && context_.core.now < context_.services.pause.until)
    return Room::kEnough;
  const config::Memory& memory = context_.services.settings.memory;
  if (memory.maxmemory_policy == config::EvictionPolicy::kNoEviction) return Room::kNone;
  // What could go may be in use by the command that has yielded.
  if (blocked_.yielding()) return Room::kSoon;
  const Ticks began = context_.clock.Now();
  const Ticks deadline =
      began + context_.clock.ToTicks(PatienceFor(memory.maxmemory_eviction_tenacity) * kNanosPerMicro);
  Room room = Room::kEnough;
  int tries_in_vain = 0;
  for (;;) {
    // Nobody else has to go for what is about to be free. Asked before memory is: what became free between
    // the two questions would count in neither answer the other way round.
    const bool freeing =
        context_.services.memory_pressure.evictions_pending.load(std::memory_order_acquire) > 0;
    if (!OverMemory()) break;
    if (freeing) {
      room = Room::kSoon;
      break;
    }
    const auto candidate = pool_->Next(context_.core, memory.maxmemory_policy, memory.maxmemory_samples);
    if (!candidate || tries_in_vain > 1000) {
      room = Room::kNone;
      break;
    }
    tries_in_vain = Evict(*candidate) ? 0 : tries_in_vain + 1;
    if (context_.clock.Now() > deadline) {
      room = Room::kSoon;
      break;
    }
  }
  const Micros spent = context_.clock.ToMicros(context_.clock.Now() - began);
  context_.services.latency.AddIfSlow("eviction-cycle", spent / 1000, context_.core.now / 1000);
  return room;
}

// Values that are freed in the background go one after the other, all cores together: true if it is this
// core's turn, and memory is still over the limit.
bool Evictor::MayFreeLater() {
  uint64_t none = 0;
  std::atomic<uint64_t>& pending = context_.services.memory_pressure.evictions_pending;
  if (!pending.compare_exchange_strong(none, 1, std::memory_order_acq_rel)) return false;
  if (OverMemory()) return true;
  pending.fetch_sub(1, std::memory_order_release);
  return false;
}

bool Evictor::Evict(const keyspace::EvictionCandidate& candidate) {
  const keyspace::Key key{candidate.name, candidate.hash};
  bool later = false;
  const size_t shard = Keyspace::ShardOf(key.hash);
  const bool lazy = context_.services.settings.memory.lazyfree_lazy_eviction;
  const config::EvictionPolicy policy = context_.services.settings.memory.maxmemory_policy;
  if (!context_.core.keyspace.LockUnlessLong(shard)) return false;
  keyspace::Database database(context_.core, candidate.database);
  Entry* gone = nullptr;
  const EntryRef found = database.FindToChange(key, keyspace::Use::kSilent);
  bool goes = found && keyspace::EvictionPool::StillDue(context_.core, *found, candidate, policy);
  if (goes && lazy && found->slow_to_free()) goes = later = MayFreeLater();
  if (EntryRef entry = found; goes) {
    database.MarkChanged(key);
    gone = database.Take(key, entry);
    counters_.evicted.Add();
    if (context_.services.journal.active())
      context_.run.effects.Add(candidate.database, {lazy ? "UNLINK" : "DEL", key.bytes});
    if ((context_.services.settings.observation.notify_keyspace_events & config::kNotifyEvicted) != 0 &&
        context_.services.notifier != nullptr) {
      context_.services.notifier->OnKeyspaceEvent(config::kNotifyEvicted, "evicted", candidate.database,
                                                  key.bytes);
    }
  }
  blocked_.EndChanges(shard);
  context_.core.keyspace.Unlock(shard);
  blocked_.ServeDeferred();
  if (gone == nullptr) return false;
  if (!later) {
    Entry::Destroy(gone);
    return true;
  }
  context_.services.control.Defer([gone, &pending = context_.services.memory_pressure.evictions_pending] {
    Entry::Destroy(gone);
    pending.fetch_sub(1, std::memory_order_release);
  });
  return true;
}

}  // namespace cinnabar::dispatch
