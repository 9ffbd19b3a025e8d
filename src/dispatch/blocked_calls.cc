#include "dispatch/blocked_calls.h"

#include <algorithm>
#include <string>
#include <utility>

#include "dispatch/call.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {

using keyspace::Key;
using keyspace::Keyspace;

void BlockedCalls::Block(Session& session, std::shared_ptr<BlockedCall> call) {
  for (const BlockedCall::AwaitedKey& awaited : call->keys)
    context_.core.keyspace.Await(call->caller.database, awaited.key(), call);
  const bool for_copies = call->keys.empty();
  if (for_copies) {
    copy_waiters_.push_back(call);
    context_.services.durability.copy_waiters.fetch_add(1);
  }
  if (call->deadline != keyspace::kNever) timeouts_.emplace(call->deadline, call);
  session.blocked = std::move(call);
  session.suspended = true;
  // The copies may have come before anybody knew that this one waits.
  if (for_copies) ServeCopyWaiters();
}

void BlockedCalls::ServeCopyWaiters() {
  for (const std::shared_ptr<BlockedCall>& call : copy_waiters_) {
    if (!call->Take()) continue;  // its reply is on its way
    protocol::ReplyWriter& writer = call->caller.reply;
    if (!call->waiting->ServeCopies(writer)) {
      call->GiveBack();
      continue;
    }
    call->Finish();
    context_.services.clients.Resume(call);
  }
}

void BlockedCalls::OnAwaited(int database, const Key& key) {
  const ReadyKey* serving = context_.run.serving;
  if (serving != nullptr && serving->database == database && serving->name == key.bytes) return;
  context_.run.ready.Add({database, std::string(key.bytes), key.hash});
}

void BlockedCalls::SignalAll(int database) {
  Keyspace& keyspace = context_.core.keyspace;
  if (keyspace.tables_if_any(database) == nullptr) return;
  for (size_t table = 0; table < keyspace.tables(); ++table) {
    const auto& waits = keyspace.table(database, table).waits;
    if (waits == nullptr) continue;
    for (const auto& [name, queue] : *waits) OnAwaited(database, keyspace.KeyOf(name));
  }
}

// Serving one key may make others ready (BLMOVE), which are served in turn.
void BlockedCalls::ServeReady() {
  Keyspace& keyspace = context_.core.keyspace;
  while (!context_.run.ready.empty()) {
    const ReadyKey ready = context_.run.ready.TakeFirst();
    context_.run.serving = &ready;
    ServeKey(ready);
    context_.run.serving = nullptr;
    if (!context_.run.effects.empty()) context_.FlushEffects();
    // With one core the key need not be of a shard that the command has locked and notes itself.
    const size_t shard = Keyspace::ShardOf(ready.hash);
    if (context_.holds_replies() && context_.run.appended > keyspace.journal_offset(shard))
      keyspace.set_journal_offset(shard, context_.run.appended);
  }
}

void BlockedCalls::ServeKey(const ReadyKey& ready) {
  const Key key = ready.key();
  keyspace::Database database(context_.core, ready.database);
  size_t position = 0;
  bool existed = false;
  while (keyspace::WaitQueue* queue = context_.core.keyspace.FindQueue(ready.database, key)) {
    if (position >= queue->size()) return;
    const auto waiter = std::static_pointer_cast<BlockedCall>((*queue)[position]);
    Service service = Service::kServed;
    if (!waiter->done()) {
      const bool exists = static_cast<bool>(database.Peek(key));
      if (!exists && existed) return;  // the last one took what there was
      existed = exists;
      service = exists || waiter->waiting->wants_removals() ? ServeWaiter(*waiter, ready) : Service::kNothing;
      if (service == Service::kMustWait) return deferred_.push_back(ready);
      if (service == Service::kServed) {
        context_.services.clients.Resume(waiter);
      }
    }
    if (service != Service::kServed) {
      ++position;
      continue;
    }
    queue->erase(queue->begin() + static_cast<ptrdiff_t>(position));
    if (queue->empty()) context_.core.keyspace.StopAwaiting(ready.database, key, *waiter);
  }
}

// REQUIRES: the shard of the ready key is held.
BlockedCalls::Service BlockedCalls::ServeWaiter(BlockedCall& waiter, const ReadyKey& ready) {
  // Another core may be trying it with another of its keys, in vain: this key may be what it waits for.
  if (!waiter.TakeOrWaitUntilDone()) return Service::kTaken;
  Keyspace& keyspace = context_.core.keyspace;
  bool locked = false;
  size_t shard = 0;
  if (const std::string_view also = waiter.waiting->also();
      !also.empty() && (keyspace.locking() || yielding())) {
    shard = Keyspace::ShardOf(keyspace.HashOf(also));
    if (yielding() && long_commands_.Holds(shard)) {
      waiter.GiveBack();
      return Service::kMustWait;
    }
    const std::vector<uint32_t>* taken = context_.run.serving_held;
    const bool held = shard == Keyspace::ShardOf(ready.hash) || keyspace.gate().HeldByCaller() ||
                      (taken != nullptr && std::count(taken->begin(), taken->end(), shard) > 0);
    locked = !held && keyspace.TryLock(shard);
    if (!held && !locked) {
      waiter.GiveBack();
      return Service::kMustWait;
    }
  }
  const bool served = RunWaiting(waiter, ready.key());
  if (served && context_.holds_replies() && !waiter.waiting->also().empty()) {
    const size_t other = Keyspace::ShardOf(keyspace.HashOf(waiter.waiting->also()));
    // The reply may tell of what another command has written there since (WRONGTYPE).
    const uint64_t offset = std::max(context_.run.appended, keyspace.journal_offset(other));
    keyspace.set_journal_offset(other, offset);
    waiter.caller.hold_until = std::max(waiter.caller.hold_until, offset);
  }
  if (served) {
    waiter.Finish();
  } else {
    waiter.GiveBack();
  }
  if (locked) {
    // What became ready in this shard has to be served with it held.
    const auto here = [shard](const ReadyKey& key) { return Keyspace::ShardOf(key.hash) == shard; };
    for (ReadyKey& key : context_.run.ready.TakeIf(here)) deferred_.push_back(std::move(key));
    keyspace.Unlock(shard);
  }
  return served ? Service::kServed : Service::kNothing;
}

// The waiter's session belongs to another core, perhaps, and is not touched.
bool BlockedCalls::RunWaiting(BlockedCall& waiter, const Key& key) {
  Caller& caller = waiter.caller;
  const std::vector<std::string_view> argv(waiter.argv.begin(), waiter.argv.end());
  Call call(context_.dispatcher, context_.core, caller, *waiter.command, argv);
  if (!waiter.waiting->Serve(call, key)) return false;
  if (caller.tracking != nullptr) context_.services.tracking->NoteKey(context_, *caller.tracking, key);
  telemetry_.counters().changes.Add(call.dirty());
  if (caller.reply.errors() != 0) telemetry_.AccountError(caller, *waiter.command);
  if (!context_.run.effects.empty()) context_.FlushEffects();
  caller.hold_until =
      std::max(context_.run.appended, context_.core.keyspace.journal_offset(Keyspace::ShardOf(key.hash)));
  if (context_.services.history != nullptr) {
    const std::string text = caller.output.TakeText();
    context_.services.history->OnCommand(caller, argv, text, HistoryObserver::Ran::kServed);
    caller.output.Append(text);
  }
  return true;
}

// REQUIRES: no shard is held.
void BlockedCalls::ServeAllDeferred() {
  if (yielding()) return;  // the command that has yielded does it at its end
  Keyspace& keyspace = context_.core.keyspace;
  while (!deferred_.empty()) {
    ReadyKey ready = std::move(deferred_.back());
    deferred_.pop_back();
    std::vector<uint32_t> shards = {static_cast<uint32_t>(Keyspace::ShardOf(ready.hash))};
    long_commands_.LockServing(shards[0]);
    if (const keyspace::WaitQueue* queue = keyspace.FindQueue(ready.database, ready.key())) {
      for (const auto& waiter : *queue) {
        const auto& call = static_cast<const BlockedCall&>(*waiter);
        if (call.done() || call.waiting->also().empty()) continue;
        shards.push_back(static_cast<uint32_t>(Keyspace::ShardOf(keyspace.HashOf(call.waiting->also()))));
        break;
      }
    }
    keyspace.Unlock(shards[0]);
    std::sort(shards.begin(), shards.end());
    shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
    for (uint32_t shard : shards) long_commands_.LockServing(shard);
    context_.run.serving_held = &shards;
    context_.run.ready.Add(std::move(ready));
    ServeReady();
    context_.run.serving_held = nullptr;
    context_.NoteShards(shards);
    for (uint32_t shard : shards) keyspace.Unlock(shard);
  }
}

void BlockedCalls::TimeOut() {
  while (NextTimeout() <= context_.core.now) {
    const std::shared_ptr<BlockedCall> call = timeouts_.begin()->second;
    timeouts_.erase(timeouts_.begin());
    if (!call->TakeOrWaitUntilDone()) continue;
    protocol::ReplyWriter& writer = call->caller.reply;
    call->waiting->TimeOut(writer);
    call->Finish();
    context_.services.clients.Resume(call);
  }
}

bool BlockedCalls::Unblock(Session& session, UnblockWith with) {
  if (with == UnblockWith::kError)
    return UnblockWithError(session, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
  if (with == UnblockWith::kRoleChange) {
    return UnblockWithError(session,
                            "UNBLOCKED force unblock from blocking operation, instance state changed (master "
                            "-> replica?)");
  }
  const std::shared_ptr<BlockedCall> call = session.blocked;
  if (call == nullptr || !call->Take()) return false;
  call->waiting->TimeOut(call->caller.reply);
  call->Finish();
  context_.services.clients.Resume(call);
  return true;
}

bool BlockedCalls::UnblockWithError(Session& session, std::string_view error) {
  const std::shared_ptr<BlockedCall> call = session.blocked;
  if (call == nullptr || !call->Take()) return false;
  protocol::ReplyWriter& writer = call->caller.reply;
  writer.Error(error);
  telemetry_.command_stats().AddFailed(call->command->id);
  telemetry_.error_stats().Add(telemetry::ErrorCodeOf(writer.last_error()));
  call->Finish();
  context_.services.clients.Resume(call);
  return true;
}

void BlockedCalls::LeaveQueues(const BlockedCall& call) {
  if (call.keys.empty()) {
    std::erase_if(copy_waiters_, [&](const auto& waiter) { return waiter.get() == &call; });
    context_.services.durability.copy_waiters.fetch_sub(1);
  }
  for (const BlockedCall::AwaitedKey& awaited : call.keys) {
    const size_t shard = Keyspace::ShardOf(awaited.hash);
    long_commands_.LockServing(shard);
    context_.core.keyspace.StopAwaiting(call.caller.database, awaited.key(), call);
    context_.core.keyspace.Unlock(shard);
  }
  const auto [first, last] = timeouts_.equal_range(call.deadline);
  const auto found =
      std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == &call; });
  if (found != last) timeouts_.erase(found);
}

void BlockedCalls::Complete(Session& session) {
  const std::shared_ptr<BlockedCall> call = std::exchange(session.blocked, nullptr);
  LeaveQueues(*call);
  telemetry_.AccountWait(session, *call->command, call->argv, call->began);
  session.hold_until = std::max(session.hold_until, call->caller.hold_until);
  session.written = std::max(session.written, call->caller.hold_until);
  session.suspended = false;
  if (session.reply_mode == ReplyMode::kOn) {
    session.output.Splice(std::move(call->caller.output));
  } else {
    session.PassReply();
  }
}

void BlockedCalls::Abandon(Session& session) {
  const std::shared_ptr<BlockedCall> call = std::exchange(session.blocked, nullptr);
  if (call == nullptr) return;
  if (call->TakeOrWaitUntilDone()) call->Finish();
  LeaveQueues(*call);
}

}  // namespace cinnabar::dispatch
