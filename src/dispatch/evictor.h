// Evictor: keys are given up, as maxmemory-policy says, before a command would run with memory over the
// limit.
//
// It works outside of any command, one key and one shard at a time. A command waits for it only briefly: what
// is left is evicted between the next commands, and meanwhile nobody gets an error. It rests while CLIENT
// PAUSE holds the data set still.
//
// One per core, used on its thread.
#pragma once

#include <memory>

#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "keyspace/eviction.h"

namespace cinnabar::dispatch {

class BlockedCalls;

class Evictor {
 public:
  // All must outlive it.
  Evictor(CoreContext& context, CoreCounters& counters, BlockedCalls& blocked);

  enum class Room : uint8_t {
    kEnough,
    kSoon,  // more keys have to go, between the next commands
    kNone,  // over the limit, and no key may go
  };
  // REQUIRES: no shard is held.
  Room MakeRoom();
  // Whether the limit is another server's to keep: a replica has what its primary has.
  bool IgnoresLimit() const;
  // Whether MakeRoom should be called again soon.
  bool due() const { return due_; }
  // The limit has changed: what is over it goes without waiting for the next command.
  void EvictSoon() { due_ = true; }

 private:
  bool OverMemory() const;
  void NoteOverMemory(bool over);
  Room EvictSome();
  bool Evict(const keyspace::EvictionCandidate& candidate);
  bool MayFreeLater();

  CoreContext& context_;
  CoreCounters& counters_;
  BlockedCalls& blocked_;
  std::unique_ptr<keyspace::EvictionPool> pool_;
  bool due_ = false;
};

}  // namespace cinnabar::dispatch
