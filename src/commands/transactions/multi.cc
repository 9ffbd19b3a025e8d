// MULTI, EXEC and DISCARD. The commands between them are kept by the dispatcher, which also runs them: see
// dispatch/transactions.cc.
#include <algorithm>

#include "catalog/errors.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::Transaction;
using dispatch::WatchedKey;
using keyspace::Entry;
namespace Flag = dispatch::Flag;

void Multi(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (transaction.open) return call.reply().Error("ERR MULTI calls can not be nested");
  transaction.open = true;
  call.reply().Ok();
}

void Discard(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (!transaction.open) return call.reply().Error("ERR DISCARD without MULTI");
  transaction.Reset();
  call.dispatcher().Unwatch(call.session(), dispatch::Dispatcher::Held::kNo);
  call.reply().Ok();
}

// Whether a watched key has died since. Nobody may have met it yet, so that it is still in its table.
// REQUIRES: the key's shard is held.
bool HasExpired(Call& call, const WatchedKey& watched) {
  if (watched.expired_when_watched) return false;
  keyspace::Keyspace& keyspace = call.core().keyspace;
  auto& table = keyspace.table(watched.database, keyspace.TableOf(watched.hash)).entries;
  const std::string_view name = watched.name;
  TableSlot* slot = table.Find(watched.hash, [&](const Entry& entry) { return entry.key() == name; });
  return slot != nullptr && slot->marked() && slot->entry<const Entry>()->expired(call.now());
}

bool WatchesBroken(Call& call) {
  const Transaction& transaction = call.session().transaction;
  if (transaction.unwatch_due) return false;
  return transaction.watcher.dirty.load(std::memory_order_relaxed) ||
         std::any_of(transaction.watched.begin(), transaction.watched.end(),
                     [&](const WatchedKey& watched) { return HasExpired(call, watched); });
}

void Exec(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (!transaction.open) return call.reply().Error("ERR EXEC without MULTI");
  const bool rejected = transaction.rejected;
  const bool broken = WatchesBroken(call);
  // From here on the keys are not watched: the transaction may change them itself.
  call.dispatcher().Unwatch(call.session(), dispatch::Dispatcher::Held::kYes);
  if (!rejected && !broken) {
    call.dispatcher().RunQueued(call.session());
    return;
  }
  transaction.Reset();
  if (rejected) return call.reply().Error(errors::kExecAbort);
  call.reply().NullArray();
}

constexpr CommandSpec kTable[] = {
    {
        .name = "multi",
        .synopsis = "",
        .summary = "Begins a transaction: the commands that follow are kept for EXEC.",
        .since = "1.2.0",
        .group = "transactions",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kAllowBusy |
                 Flag::kControlsTransaction,
        .run = Multi,
    },
    {
        .name = "exec",
        .synopsis = "",
        .summary = "Executes the commands of a transaction as one, unless a watched key has changed.",
        .since = "1.2.0",
        .group = "transactions",
        .complexity = "Depends on the commands of the transaction.",
        .arity = 1,
        .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSkipSlowlog |
                 Flag::kControlsTransaction | Flag::kRunsTransaction,
        .run = Exec,
    },
    {
        .name = "discard",
        .synopsis = "",
        .summary = "Forgets the commands of a transaction, and all watched keys.",
        .since = "2.0.0",
        .group = "transactions",
        .complexity = "O(N) for N kept commands.",
        .arity = 1,
        .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kAllowBusy |
                 Flag::kControlsTransaction,
        .run = Discard,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kTransactionsMultiCommands{kTable};

}  // namespace cinnabar::commands
