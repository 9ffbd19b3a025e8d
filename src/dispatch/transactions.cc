// MULTI, EXEC, WATCH: what the dispatcher does for them. The commands themselves are in
// commands/transactions.
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
  transaction.flags |= command.flags;
  transaction.common_flags &= command.flags;
  session.reply.Simple("QUEUED");
  if (context_.services.history != nullptr) {
    context_.services.history->OnCommand(session, argv, "+QUEUED\r\n", HistoryObserver::Ran::kAtOnce);
  }
}

void Dispatcher::Unwatch(Session& session, Held held) {
  Transaction& transaction = session.transaction;
  for (const WatchedKey& watched : transaction.watched) {
    const size_t shard = keyspace::Keyspace::ShardOf(watched.hash);
    if (held == Held::kNo) context_.core.keyspace.Lock(shard);
    context_.core.keyspace.Unwatch(watched.database, {watched.name, watched.hash}, transaction.watcher);
    if (held == Held::kNo) context_.core.keyspace.Unlock(shard);
  }
  transaction.watched.clear();
  transaction.watch_memory = 0;
  transaction.watcher.dirty.store(false, std::memory_order_relaxed);
}

}  // namespace cinnabar::dispatch
