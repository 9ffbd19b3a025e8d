// MULTI, EXEC, WATCH: what the dispatcher does for them. The commands themselves are in
// commands/transactions.
#include <utility>

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

void Dispatcher::Queue(Session& session, const Command& command, std::span<const std::string_view> argv) {
  Transaction& transaction = session.transaction;
  QueuedCommand queued{&command, {}};
  queued.argv.reserve(argv.size());
  for (std::string_view argument : argv) {
    queued.argv.emplace_back(argument);
    transaction.queue_memory += argument.size() + sizeof(std::string);
  }
  transaction.queue_memory += sizeof(QueuedCommand);
  transaction.queue.push_back(std::move(queued));
  const uint64_t flags = admission_.FlagsOf(command, argv);
  transaction.flags |= flags;
  transaction.common_flags &= flags;
  session.reply.Simple("QUEUED");
  if (context_.services.history != nullptr) {
    context_.services.history->OnCommand(session, argv, "+QUEUED\r\n", HistoryObserver::Ran::kAtOnce);
  }
}

// The keys of an admitted command are of one slot, and so of one shard. EXEC asks again.
bool Dispatcher::QueueIfHere(Session& session, const Command& command, std::span<const std::string_view> argv,
                             std::span<const PlacedKey> keys) {
  const auto shard = static_cast<uint32_t>(keyspace::Keyspace::ShardOf(keys[0].key.hash));
  const bool in_use = long_commands_.yielding() && long_commands_.Holds(shard);
  if (in_use || !long_commands_.LockOrPostpone(session, shard)) return false;
  const bool here = AdmittedHeld(session, command, argv, keys);
  if (context_.holds_replies()) context_.NoteHold(session, {&shard, 1});
  context_.core.keyspace.Unlock(shard);
  if (here) Queue(session, command, argv);
  return true;
}

void Dispatcher::Unwatch(Session& session, Held held) {
  Transaction& transaction = session.transaction;
  transaction.watch_due.clear();
  if (held == Held::kNo && !transaction.watched.empty() && long_commands_.locks_are_held_long()) {
    transaction.unwatch_due = true;
    return;
  }
  for (const WatchedKey& watched : transaction.watched) {
    const size_t shard = keyspace::Keyspace::ShardOf(watched.hash);
    if (held == Held::kNo) context_.core.keyspace.Lock(shard);
    context_.core.keyspace.Unwatch(watched.database, {watched.name, watched.hash}, transaction.watcher);
    if (held == Held::kNo) context_.core.keyspace.Unlock(shard);
  }
  transaction.watched.clear();
  transaction.unwatch_due = false;
  transaction.watch_memory = 0;
  transaction.watcher.dirty.store(false, std::memory_order_relaxed);
}

bool Dispatcher::WatchesLater(const Session& session, const Command& command) const {
  if (!command.Is(Flag::kControlsTransaction) || command.key_specs == 0 || session.in_transaction() ||
      !long_commands_.locks_are_held_long())
    return false;
  return session.transaction.watches_due() ||
         (context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kBusy) != 0;
}

void Dispatcher::WatchLater(Session& session, std::span<const std::string_view> argv) {
  const uint64_t writes = context_.services.script_writes.load(std::memory_order_acquire);
  for (std::string_view key : argv.subspan(1))
    session.transaction.watch_due.push_back({session.database, std::string(key), writes});
  session.reply.Ok();
}

// What scripts have written since a WATCH was asked for may have been its key.
void Dispatcher::SettleWatches(Session& session) {
  if (long_commands_.locks_are_held_long()) return;
  Transaction& transaction = session.transaction;
  const auto due = std::exchange(transaction.watch_due, {});
  if (transaction.unwatch_due) Unwatch(session, Held::kNo);
  for (const Transaction::WatchDue& each : due) {
    const keyspace::Key key = context_.core.keyspace.KeyOf(each.name);
    const size_t shard = keyspace::Keyspace::ShardOf(key.hash);
    long_commands_.LockServing(shard);
    context_.core.keyspace.Watch(each.database, key, transaction.watcher);
    context_.core.keyspace.Unlock(shard);
    transaction.watched.push_back({each.database, each.name, key.hash, false});
    transaction.watch_memory += sizeof(WatchedKey) + 2 * key.bytes.size();
    if (each.script_writes != context_.services.script_writes.load(std::memory_order_acquire))
      transaction.watcher.dirty.store(true, std::memory_order_relaxed);
  }
}

}  // namespace cinnabar::dispatch
