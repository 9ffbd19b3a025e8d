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
  return most > 0 && services_.control.UsedMemory() > most;
}

Dispatcher::Room Dispatcher::MakeRoom() {
  if (!OverMemory()) {
    evicting_ = false;
    return Room::kEnough;
  }
  const config::Memory& memory = services_.settings.memory;
  if (memory.maxmemory_policy == config::EvictionPolicy::kNoEviction) return Room::kNone;
  if (yielding_) {
    // What could go may be in use by the command that has yielded.
    evicting_ = true;
    return Room::kSoon;
  }
  const Ticks began = clock_.Now();
  const Ticks deadline =
      began + clock_.ToTicks(PatienceFor(memory.maxmemory_eviction_tenacity) * kNanosPerMicro);
  Room room = Room::kEnough;
  int tries_in_vain = 0;
  while (OverMemory()) {
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
  evicting_ = room == Room::kSoon;
  const Micros spent = clock_.ToMicros(clock_.Now() - began);
  services_.latency.AddIfSlow("eviction-cycle", spent / 1000, core_.now / 1000);
  return room;
}

bool Dispatcher::Evict(const keyspace::EvictionCandidate& candidate) {
  const keyspace::Key key{candidate.name, candidate.hash};
  const size_t shard = Keyspace::ShardOf(key.hash);
  const bool lazy = services_.settings.memory.lazyfree_lazy_eviction;
  core_.keyspace.Lock(shard);
  keyspace::Database database(core_, candidate.database);
  Entry* gone = nullptr;
  if (EntryRef entry = database.FindWrite(key, keyspace::Use::kSilent)) {
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
  if (lazy) {
    services_.control.Defer([gone] { Entry::Destroy(gone); });
  } else {
    Entry::Destroy(gone);
  }
  return true;
}

}  // namespace cinnabar::dispatch
