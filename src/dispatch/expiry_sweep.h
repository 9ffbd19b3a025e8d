// ExpirySweep: removes keys, and fields of hashes, whose time has come although nobody asks for them.
//
// Each core sweeps its own share of the shards. A shard remembers a moment before which none of its entries
// expires, so that a sweep skips the quiet ones without reading them; within a shard the marks in the buckets
// name the entries that can expire. One shard is held at a time, outside any command.
//
// While a shard is held a limited number of keys and fields goes; in between the shard is free. A pass over
// the shard goes on where the last hold ended. Only a pass that met every entry in one hold says when the
// next expires: until then the old bound, which is past, keeps the shard due.
//
// Fields of hashes expire in the same sweep: a shard's TimedHashes names the hashes to look at, and their
// moments lower the same bound.
//
// One per core, used on its thread.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "dispatch/keys.h"

namespace cinnabar::dispatch {

class BlockedCalls;

class ExpirySweep {
 public:
  // All must outlive it.
  ExpirySweep(CoreContext& context, CoreCounters& counters, BlockedCalls& blocked)
      : context_(context), counters_(counters), blocked_(blocked) {}

  // Removes what has expired in this core's shards until the time is over; gives the number of keys and
  // fields. REQUIRES: no shard is held.
  uint64_t Run(Micros budget);
  // A client of a writable replica has changed these keys. Those with a time to live are removed when it is
  // over: no primary knows of them. REQUIRES: their shards are held.
  void NoteOwn(int database, std::span<const PlacedKey> keys);
  size_t own_keys() const { return own_.size(); }
  // Nothing in this core's shards expires before this moment, as far as is known.
  Millis NextExpiry() const;

 private:
  uint64_t SweepDatabases(Ticks deadline);
  uint64_t SweepShards(Ticks deadline);
  uint64_t SweepOwn();

  CoreContext& context_;
  CoreCounters& counters_;
  BlockedCalls& blocked_;
  // How far the sweep has come.
  struct Progress {
    bool running = false;
    int database = 0;
    size_t shard = 0;
    Millis earliest = keyspace::kNever;  // of what it has left behind
  };
  Progress progress_;
  std::set<std::pair<int, std::string>> own_;  // of NoteOwn
};

}  // namespace cinnabar::dispatch
