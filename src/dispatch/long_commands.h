// LongCommands: a command that visits millions of elements lets the other clients of its core have their turn
// every half a millisecond. They run in between, on its stack, while it keeps its shards.
//
// What runs in between may not wait for a lock: the command that has yielded holds some, and would wait with
// it, against the order of locks. So it tries, and is postponed if that fails. It is postponed as well when
// it needs a shard of the command that has yielded, or the world, or several shards one after another (a
// sweep, EXEC, UNWATCH). A client of another core that needs such a shard is postponed by its core, which
// goes on with its other clients (ShardLock::MarkLong).
//
// One per core, used on its thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dispatch/admission.h"
#include "dispatch/call.h"
#include "dispatch/core_context.h"
#include "keyspace/keyspace.h"

namespace cinnabar::dispatch {

// How long a turn waits for something to do: not at all, or until the descriptor is ready for `interest`
// (bits of net::Interest), but at most so long. Without a descriptor (-1) the time alone counts.
struct TurnWait {
  int fd = -1;
  uint32_t interest = 0;
  Nanos at_most = 0;
};

// The core, as a command sees it that lets others go first.
class Bystanders {
 public:
  virtual ~Bystanders() = default;
  // Gives the other clients a turn. Calls Dispatcher::Execute.
  virtual void Serve(const TurnWait& wait) = 0;
  // Whether other cores have executed what had reached them before the session's request was read. If not,
  // the session is resumed when they have; its request must be postponed till then.
  virtual bool OthersCaughtUp(Session& session) = 0;
  // A command that had yielded has ended: the clients that waited for it, on any core, may go on.
  virtual void LongCommandEnded() = 0;
};

class LongCommands {
 public:
  // All must outlive it.
  LongCommands(CoreContext& context, const Admission& admission, telemetry::Counter& yields);

  void SetBystanders(Bystanders& bystanders) { bystanders_ = &bystanders; }
  // For tests: commands yield at every opportunity.
  void YieldAlways();

  // Gives others a turn when the command has run for long since its last one. See Call::Yield.
  void YieldIfLong(Call& call);
  // Gives others a turn in the middle of a script, if that is possible: they use nothing that it holds.
  void GiveTurn(Call& script);
  // Waits until the descriptor is ready for `interest` (bits of net::Interest), or (-1) for the time alone;
  // false when it is `until` (monotonic) and it is not ready. It keeps what it has locked. Others are given
  // turns meanwhile, unless a transaction or a script is on its way.
  bool WaitForPeer(Call& call, int fd, uint32_t interest, Nanos until);
  // Commands that wait for what a script holds are told that it is busy.
  void WakeWaiting() {
    if (bystanders_ != nullptr) bystanders_->LongCommandEnded();
  }
  // Whether there are scripts or waits for other servers that may last, and hold locks that others need.
  bool locks_are_held_long() const {
    return context_.core.keyspace.locking() &&
           (context_.services.running_scripts.long_ones() != 0 || peers_are_awaited());
  }
  // Stops the world, for work that no client waits for; others are served until it can be done. REQUIRES: no
  // shard is held, and the world is not stopped.
  void CloseGate();
  // Takes the shard; while a long command has it, others are served.
  void LockServing(size_t shard);
  // Whether a command of this core has yielded, and what runs now does so in between.
  bool yielding() const { return yielding_; }
  // Whether a command that has yielded holds the shard.
  bool Holds(size_t shard) const { return held_.test(shard); }

  // What a request may do in the turn of another command. REQUIRES: yielding().
  enum class Between : uint8_t {
    kAnything,
    kReads,    // it reads a key beside the long command, whose shard that one holds
    kNothing,  // it is postponed
  };
  Between WhatMayRun(const Session& session, const Command* command, std::span<const std::string_view> argv,
                     std::span<const PlacedKey> keys);
  // Takes the shard. False when a long command is in the way: the request is to be postponed.
  bool LockOrPostpone(Session& session, size_t shard);
  // Whether the request should wait now, as long as it takes, although a long command is in the way: it has
  // been postponed often enough.
  bool Patient(Session& session);
  // Whether the last request was postponed for a lock that another core had just then: worth another try
  // soon.
  bool missed_lock() const { return missed_lock_; }

  // Whether other cores have caught up with the session's request (Bystanders). What runs in the middle of
  // something (a transaction, a file, the world stopped) cannot wait: then it is true.
  bool OthersCaughtUp(Session& session);
  // For Call::AfterOthers: the same, and the run that is on its way is put off if it is false.
  bool AfterOthers(Session& session) {
    context_.run.put_off = !OthersCaughtUp(session);
    return !context_.run.put_off;
  }

  // The run that is on its way has yielded, and ends. REQUIRES: no shard is held.
  void End();

  // Whether work that no client waits for may stop the world now. False while a long command would keep
  // everybody waiting with it: ask again soon. After some seconds it is true all the same.
  bool WorldIsFree();

 private:
  bool MayYield(const Call& call) const;
  // From now on other cores know that the run takes long.
  void NoteLong();
  // Notes what a command holds that gives others a turn, and on the way back what was noted before it.
  class Held;
  class PeerWait;
  bool peers_are_awaited() const { return context_.services.peer_waits.load(std::memory_order_relaxed) != 0; }
  void ServeOthers(const TurnWait& wait = {});
  void WaitServing();

  CoreContext& context_;
  const Admission& admission_;
  telemetry::Counter& yields_;
  Bystanders* bystanders_ = nullptr;
  Ticks slice_ = 0;  // how long a command runs before the others get a turn
  bool yielding_ = false;
  bool missed_lock_ = false;
  int depth_ = 0;
  Ticks world_wanted_since_ = 0;  // WorldIsFree has said no since then; 0: it has not
  // The shards of this core's commands that have yielded, and the hashes of the keys that those may change.
  std::bitset<keyspace::Keyspace::kShards> held_;
  std::bitset<keyspace::Keyspace::kShards> of_scripts_;  // of those, what nobody may even read beside them
  std::vector<uint64_t> changed_;
};

}  // namespace cinnabar::dispatch
