// BlockedCalls: the blocked commands of one core's clients, and the service that this core's changes give to
// waiting commands, whichever core their clients belong to (DESIGN §7).
//
//   handler: Call::Block -> queues of the keys                        (under the command's locks)
//   a change of a key: OnAwaited -> Execution::ready -> ServeChanged  (under the changer's locks)
//     for each waiter: Take the baton, Serve, Finish, Clients::Resume (or give the baton back)
//   the session's core: Complete                                      (mailbox; no locks)
//
// A waiter that needs one more shard gets it with a try, since the shards that are held came first in the
// order of locks or not at all. When the try fails the key is deferred: once the changer's own locks are
// released, ServeDeferred takes all shards that it needs in order.
//
// One per core, used on its thread.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/blocking.h"
#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "dispatch/long_commands.h"

namespace cinnabar::dispatch {

class BlockedCalls {
 public:
  // All must outlive it.
  BlockedCalls(CoreContext& context, CommandTelemetry& telemetry, LongCommands& long_commands)
      : context_(context), telemetry_(telemetry), long_commands_(long_commands) {}

  // For Call::Block.
  void Block(Session& session, std::shared_ptr<BlockedCall> call);
  // The moment when the next blocked session of this core runs out of time.
  Millis NextTimeout() const { return timeouts_.empty() ? keyspace::kNever : timeouts_.begin()->first; }
  void TimeOut();
  // Gives the session its reply. REQUIRES: the call is done; the session's core, no shard held.
  void Complete(Session& session);
  // The session goes away. REQUIRES: the session's core, no shard held.
  void Abandon(Session& session);
  // With the world stopped: false when the session is not blocked.
  bool Unblock(Session& session, UnblockWith with);
  // The same, with an error of the caller's.
  bool UnblockWithError(Session& session, std::string_view error);
  // Completes the calls that have the copies of the journal they waited for. The core's own thread, or with
  // the world stopped.
  void ServeCopyWaiters();

  // A key that somebody waits for has changed. REQUIRES: its shard is held.
  void OnAwaited(int database, const keyspace::Key& key);
  // Every key of the database may have changed. With the world stopped.
  void SignalAll(int database);
  // Serves the commands that wait for what the run has changed. REQUIRES: the changed shards are held.
  void ServeChanged() {
    if (!context_.run.ready.empty()) [[unlikely]]
      ServeReady();
  }
  // The run has changed what it was going to change: its effects go to the journal, then come the waiters.
  void FinishChanges() {
    if (!context_.run.effects.empty()) context_.FlushEffects();
    ServeChanged();
  }
  // Ends changes of one shard that no command made (expiry, eviction, a sweep): effects, waiters, and what
  // the shard has been told. REQUIRES: the shard is held.
  void EndChanges(size_t shard) {
    FinishChanges();
    const auto held = static_cast<uint32_t>(shard);
    context_.NoteShards({&held, 1});
  }
  // Serves the commands that could not be served under the changer's locks. REQUIRES: no shard is held.
  void ServeDeferred() {
    if (!deferred_.empty()) [[unlikely]]
      ServeAllDeferred();
  }
  bool yielding() const { return long_commands_.yielding(); }

 private:
  enum class Service : uint8_t { kServed, kNothing, kTaken, kMustWait };

  void ServeReady();
  void ServeKey(const ReadyKey& ready);
  Service ServeWaiter(BlockedCall& waiter, const ReadyKey& ready);
  bool RunWaiting(BlockedCall& waiter, const keyspace::Key& key);
  void ServeAllDeferred();
  void LeaveQueues(const BlockedCall& call);

  CoreContext& context_;
  CommandTelemetry& telemetry_;
  LongCommands& long_commands_;
  std::vector<ReadyKey> deferred_;  // whose waiters need a shard that could not be had at once
  std::multimap<Millis, std::shared_ptr<BlockedCall>> timeouts_;
  std::vector<std::shared_ptr<BlockedCall>> copy_waiters_;
};

}  // namespace cinnabar::dispatch
