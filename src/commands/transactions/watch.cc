// WATCH and UNWATCH: a transaction that happens only if nobody changed the keys it was based on.
#include <algorithm>

#include "dispatch/dispatcher.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::Dispatcher;
using dispatch::Transaction;
using dispatch::WatchedKey;
using keyspace::Entry;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

bool IsWatched(const Transaction& transaction, int database, const Key& key) {
  return std::any_of(transaction.watched.begin(), transaction.watched.end(), [&](const WatchedKey& watched) {
    return watched.hash == key.hash && watched.database == database && watched.name == key.bytes;
  });
}

// Where expired keys are removed when met, the look-up has just done that, and the key counts as absent from
// the beginning. Elsewhere it must be remembered that the key was dead already.
bool StillThereThoughExpired(Call& call, const Key& key) {
  if (call.db().Peek(key)) return false;
  auto& table = call.db().ShardTableOf(key).entries;
  return table.Find(key.hash, [&](const Entry& entry) { return entry.key() == key.bytes; }) != nullptr;
}

void Watch(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (transaction.open) return call.reply().Error("ERR WATCH inside MULTI is not allowed");
  const int database = call.db().index();
  for (size_t i = 1; i < call.argc(); ++i) {
    const Key key = call.key(i);
    if (IsWatched(transaction, database, key)) continue;
    const bool expired = StillThereThoughExpired(call, key);
    call.core().keyspace.Watch(database, key, transaction.watcher);
    transaction.watched.push_back({database, std::string(key.bytes), key.hash, expired});
    // Its name is also in the list of the shard's watches.
    transaction.watch_memory += sizeof(WatchedKey) + 2 * key.bytes.size();
  }
  call.reply().Ok();
}

void Unwatch(Call& call) {
  call.dispatcher().Unwatch(call.session(),
                            call.in_transaction() ? Dispatcher::Held::kYes : Dispatcher::Held::kNo);
  call.reply().Ok();
}

constexpr uint64_t kFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kAllowBusy;

constexpr CommandSpec kTable[] = {
    {
        .name = "watch",
        .synopsis = "key...",
        .summary = "Lets the next EXEC succeed only if none of the keys has changed until then.",
        .since = "2.2.0",
        .group = "transactions",
        .complexity = "O(1) for each key.",
        .arity = -2,
        .flags = kFlags | Flag::kControlsTransaction,
        .keys = {dispatch::KeyRange(KeyUse::kRo, 1, -1)},
        .run = Watch,
    },
    {
        .name = "unwatch",
        .synopsis = "",
        .summary = "Forgets all watched keys.",
        .since = "2.2.0",
        .group = "transactions",
        .complexity = "O(1)",
        .arity = 1,
        .flags = kFlags,
        .run = Unwatch,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kTransactionsWatchCommands{kTable};

}  // namespace cinnabar::commands
