// Blocking: who waits, who serves, and what becomes of the reply.
//
//   handler: Call::Block -> queues of the keys                        (under the command's locks)
//   change of a key: OnAwaited -> run_.ready -> ServeReady                (under the changer's locks)
//     for each waiter: Take the baton, Serve, Finish, Clients::Resume (or give the baton back)
//   the session's core: CompleteBlocked                               (mailbox; no locks)
//
// A waiter that needs one more shard gets it with a try, since the shards that are held came first. When the
// try fails the key is deferred: its shards are taken in order once the changer's own are released.
#include "dispatch/blocking.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "base/numbers.h"
#include "dispatch/args.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

using keyspace::Key;
using keyspace::Keyspace;

void Call::Block(std::unique_ptr<Waiting> waiting, std::span<const Key> keys, Millis deadline) {
  auto blocked = std::make_shared<BlockedCall>();
  blocked->session = session_->id;
  blocked->core = session_->facts.core;
  blocked->database = database_.index();
  blocked->version = reply().version();
  blocked->command = command_;
  blocked->argv.assign(argv_.begin(), argv_.end());
  for (const Key& key : keys) {
    const bool known = std::any_of(blocked->keys.begin(), blocked->keys.end(),
                                   [&](const BlockedCall::AwaitedKey& k) { return k.name == key.bytes; });
    if (!known) blocked->keys.push_back({std::string(key.bytes), key.hash});
  }
  blocked->deadline = deadline;
  blocked->began = started;
  blocked->waiting = std::move(waiting);
  dispatcher_->Block(*session_, std::move(blocked));
}

void Dispatcher::Block(Session& session, std::shared_ptr<BlockedCall> call) {
  for (const BlockedCall::AwaitedKey& awaited : call->keys)
    core_.keyspace.Await(call->database, awaited.key(), call);
  const bool for_copies = call->keys.empty();
  if (for_copies) {
    copy_waiters_.push_back(call);
    services_.copy_waiters.fetch_add(1);
  }
  if (call->deadline != keyspace::kNever) timeouts_.emplace(call->deadline, call);
  session.blocked = std::move(call);
  session.suspended = true;
  // The copies may have come before anybody knew that this one waits.
  if (for_copies) ServeCopyWaiters();
}

void Dispatcher::ServeCopyWaiters() {
  for (const std::shared_ptr<BlockedCall>& call : copy_waiters_) {
    if (!call->Take()) continue;  // its reply is on its way
    protocol::ReplyWriter writer(call->reply, call->version);
    if (!call->waiting->ServeCopies(writer)) {
      call->GiveBack();
      continue;
    }
    call->Finish();
    services_.clients.Resume(call);
  }
}

void Dispatcher::OnAwaited(int database, const Key& key) {
  if (run_.serving != nullptr && run_.serving->database == database && run_.serving->name == key.bytes)
    return;
  run_.ready.Add({database, std::string(key.bytes), key.hash});
}

void Dispatcher::SignalAllAwaited(int database) {
  if (core_.keyspace.tables_if_any(database) == nullptr) return;
  for (size_t shard = 0; shard < Keyspace::kShards; ++shard) {
    const auto& waits = core_.keyspace.table(database, shard).waits;
    if (waits == nullptr) continue;
    for (const auto& [name, queue] : *waits) OnAwaited(database, core_.keyspace.KeyOf(name));
  }
}

// Serving one key may make others ready (BLMOVE), which are served in turn.
void Dispatcher::ServeReady() {
  Keyspace& keyspace = core_.keyspace;
  while (!run_.ready.empty()) {
    const ReadyKey ready = run_.ready.TakeFirst();
    run_.serving = &ready;
    ServeKey(ready);
    run_.serving = nullptr;
    if (!run_.effects.empty()) FlushEffects();
    // With one core the key need not be of a shard that the command has locked and notes itself.
    const size_t shard = Keyspace::ShardOf(ready.hash);
    if (gated() && run_.appended > keyspace.journal_offset(shard))
      keyspace.set_journal_offset(shard, run_.appended);
  }
}

void Dispatcher::ServeKey(const ReadyKey& ready) {
  const Key key = ready.key();
  keyspace::Database database(core_, ready.database);
  size_t position = 0;
  bool existed = false;
  while (keyspace::WaitQueue* queue = core_.keyspace.FindQueue(ready.database, key)) {
    if (position >= queue->size()) return;
    const auto waiter = std::static_pointer_cast<BlockedCall>((*queue)[position]);
    Service service = Service::kServed;
    if (!waiter->done()) {
      const bool exists = static_cast<bool>(database.FindWrite(key, keyspace::Use::kSilent));
      if (!exists && existed) return;  // the last one took what there was
      existed = exists;
      service = exists || waiter->waiting->wants_removals() ? ServeWaiter(*waiter, ready) : Service::kNothing;
      if (service == Service::kMustWait) return deferred_.push_back(ready);
      if (service == Service::kServed) {
        services_.clients.Resume(waiter);
      }
    }
    if (service != Service::kServed) {
      ++position;
      continue;
    }
    queue->erase(queue->begin() + static_cast<ptrdiff_t>(position));
    if (queue->empty()) core_.keyspace.StopAwaiting(ready.database, key, *waiter);
  }
}

// REQUIRES: the shard of the ready key is held.
Dispatcher::Service Dispatcher::ServeWaiter(BlockedCall& waiter, const ReadyKey& ready) {
  // Another core may be trying it with another of its keys, in vain: this key may be what it waits for.
  if (!waiter.TakeOrWaitUntilDone()) return Service::kTaken;
  Keyspace& keyspace = core_.keyspace;
  bool locked = false;
  size_t shard = 0;
  if (const std::string_view also = waiter.waiting->also();
      !also.empty() && (keyspace.locking() || yielding_)) {
    shard = Keyspace::ShardOf(keyspace.HashOf(also));
    if (yielding_ && held_for_long_.test(shard)) {
      waiter.GiveBack();
      return Service::kMustWait;
    }
    const bool held = shard == Keyspace::ShardOf(ready.hash) || keyspace.gate().HeldByCaller() ||
                      (run_.serving_held != nullptr &&
                       std::count(run_.serving_held->begin(), run_.serving_held->end(), shard) > 0);
    locked = !held && keyspace.TryLock(shard);
    if (!held && !locked) {
      waiter.GiveBack();
      return Service::kMustWait;
    }
  }
  const bool served = RunWaiting(waiter, ready.key());
  if (served && gated() && !waiter.waiting->also().empty()) {
    const size_t other = Keyspace::ShardOf(keyspace.HashOf(waiter.waiting->also()));
    // The reply may tell of what another command has written there since (WRONGTYPE).
    const uint64_t offset = std::max(run_.appended, keyspace.journal_offset(other));
    keyspace.set_journal_offset(other, offset);
    waiter.gate = std::max(waiter.gate, offset);
  }
  if (served) {
    waiter.Finish();
  } else {
    waiter.GiveBack();
  }
  if (locked) {
    // What became ready in this shard has to be served with it held.
    const auto here = [shard](const ReadyKey& key) { return Keyspace::ShardOf(key.hash) == shard; };
    for (ReadyKey& key : run_.ready.TakeIf(here)) deferred_.push_back(std::move(key));
    keyspace.Unlock(shard);
  }
  return served ? Service::kServed : Service::kNothing;
}

// The waiter's session belongs to another core, perhaps: a stand-in takes its place.
bool Dispatcher::RunWaiting(BlockedCall& waiter, const Key& key) {
  Session stand_in(waiter.session, OutputBuffer(OutputBuffer::kFixedBytesMin));
  stand_in.database = waiter.database;
  stand_in.reply.set_version(waiter.version);
  stand_in.reply.set_digits(digits());
  const std::vector<std::string_view> argv(waiter.argv.begin(), waiter.argv.end());
  Call call(*this, core_, stand_in, *waiter.command, argv, {});
  if (!waiter.waiting->Serve(call, key)) return false;
  counters_.changes.Add(call.dirty());
  if (stand_in.reply.errors() != 0) AccountError(stand_in, *waiter.command);
  if (!run_.effects.empty()) FlushEffects();
  waiter.gate = std::max(run_.appended, core_.keyspace.journal_offset(Keyspace::ShardOf(key.hash)));
  if (services_.history != nullptr) {
    const std::string text = stand_in.output.TakeText();
    services_.history->OnCommand(stand_in, argv, text);
    waiter.reply.Append(text);
  } else {
    waiter.reply = std::move(stand_in.output);
  }
  return true;
}

// REQUIRES: no shard is held.
void Dispatcher::ServeDeferred() {
  if (yielding_) return;  // whoever has yielded does it at its end
  Keyspace& keyspace = core_.keyspace;
  while (!deferred_.empty()) {
    ReadyKey ready = std::move(deferred_.back());
    deferred_.pop_back();
    std::vector<uint32_t> shards = {static_cast<uint32_t>(Keyspace::ShardOf(ready.hash))};
    keyspace.Lock(shards[0]);
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
    for (uint32_t shard : shards) keyspace.Lock(shard);
    run_.serving_held = &shards;
    run_.ready.Add(std::move(ready));
    ServeReady();
    run_.serving_held = nullptr;
    NoteShards(shards);
    for (uint32_t shard : shards) keyspace.Unlock(shard);
  }
}

void Dispatcher::TimeOutBlocked() {
  while (NextTimeout() <= core_.now) {
    const std::shared_ptr<BlockedCall> call = timeouts_.begin()->second;
    timeouts_.erase(timeouts_.begin());
    if (!call->TakeOrWaitUntilDone()) continue;
    protocol::ReplyWriter writer(call->reply, call->version);
    call->waiting->TimeOut(writer);
    call->Finish();
    services_.clients.Resume(call);
  }
}

bool Dispatcher::Unblock(Session& session, UnblockWith with) {
  const std::shared_ptr<BlockedCall> call = session.blocked;
  if (call == nullptr || !call->Take()) return false;
  protocol::ReplyWriter writer(call->reply, call->version);
  if (with == UnblockWith::kError) {
    writer.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    command_stats_.AddFailed(call->command->id);
    error_stats_.Add(telemetry::ErrorCodeOf(writer.last_error()));
  } else {
    call->waiting->TimeOut(writer);
  }
  call->Finish();
  services_.clients.Resume(call);
  return true;
}

void Dispatcher::LeaveQueues(const BlockedCall& call) {
  if (call.keys.empty()) {
    std::erase_if(copy_waiters_, [&](const auto& waiter) { return waiter.get() == &call; });
    services_.copy_waiters.fetch_sub(1);
  }
  for (const BlockedCall::AwaitedKey& awaited : call.keys) {
    const size_t shard = Keyspace::ShardOf(awaited.hash);
    core_.keyspace.Lock(shard);
    core_.keyspace.StopAwaiting(call.database, awaited.key(), call);
    core_.keyspace.Unlock(shard);
  }
  const auto [first, last] = timeouts_.equal_range(call.deadline);
  const auto found =
      std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == &call; });
  if (found != last) timeouts_.erase(found);
}

void Dispatcher::CompleteBlocked(Session& session) {
  const std::shared_ptr<BlockedCall> call = std::exchange(session.blocked, nullptr);
  LeaveQueues(*call);
  if (const Ticks spent = clock_.Now() - call->began; spent >= slow_ticks_) {
    std::vector<std::string_view> argv(call->argv.begin(), call->argv.end());
    NoteSlow(session, *call->command, argv, clock_.ToMicros(spent));
  }
  session.gate = std::max(session.gate, call->gate);
  session.written = std::max(session.written, call->gate);
  session.suspended = false;
  if (session.reply_mode == ReplyMode::kOn) {
    session.output.Splice(std::move(call->reply));
  } else {
    AfterReply(session);
  }
}

void Dispatcher::AbandonBlocked(Session& session) {
  const std::shared_ptr<BlockedCall> call = std::exchange(session.blocked, nullptr);
  if (call == nullptr) return;
  if (call->TakeOrWaitUntilDone()) call->Finish();
  LeaveQueues(*call);
}

namespace {

Millis DeadlineAfter(Args& args, Millis now, Millis wait) {
  if (wait < 0) args.Fail("ERR timeout is negative");
  if (wait <= 0) return keyspace::kNever;
  if (wait > keyspace::kNever - 1 - now) {
    args.Fail("ERR timeout is out of range");
    return keyspace::kNever;
  }
  return now + wait;
}

}  // namespace

namespace {

// Numbers that only a long double can hold are numbers as well: infinite ones.
std::optional<double> ParseSeconds(std::string_view text) {
  if (const auto seconds = ParseDouble(text)) return seconds;
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) return std::nullopt;
  const std::string copy(text);
  errno = 0;
  char* end = nullptr;
  const long double value = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || errno == ERANGE || std::isnan(value)) return std::nullopt;
  return static_cast<double>(value);
}

}  // namespace

Millis TakeTimeoutSeconds(Args& args, Millis now) {
  const std::string_view text = args.Next();
  if (args.failed()) return keyspace::kNever;
  const auto seconds = ParseSeconds(text);
  if (!seconds) {
    args.Fail("ERR timeout is not a float or out of range");
    return keyspace::kNever;
  }
  const double wait = std::ceil(*seconds * 1000.0);
  if (wait > 9.2e18) {
    args.Fail("ERR timeout is out of range");
    return keyspace::kNever;
  }
  return DeadlineAfter(args, now, wait < 0 ? -1 : static_cast<Millis>(wait));
}

Millis TakeTimeoutMillis(Args& args, Millis now) {
  const auto wait = ParseInt64(args.Next());
  if (args.failed()) return keyspace::kNever;
  if (!wait) {
    args.Fail("ERR timeout is not an integer or out of range");
    return keyspace::kNever;
  }
  return DeadlineAfter(args, now, *wait);
}

}  // namespace cinnabar::dispatch
