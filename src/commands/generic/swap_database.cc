// SWAPDB: two databases exchange their contents.
#include "commands/generic/database_index.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Database;
using keyspace::Keyspace;
namespace Flag = dispatch::Flag;

// Removes the expired ones among the keys that somebody watches in either database: for a watcher, a name
// that turns from absent to expired, or back, has not changed.
void ExpireWatched(Call& call, int first, int second) {
  Keyspace& keyspace = call.core().keyspace;
  for (int watched : {first, second}) {
    for (size_t table = 0; table < keyspace.tables(); ++table) {
      const auto& watches = keyspace.table(watched, table).watches;
      if (watches == nullptr) continue;
      for (const auto& [name, watchers] : *watches) {
        const keyspace::Key key = keyspace.KeyOf(name);
        for (int index : {first, second}) call.database(index).Peek(key);
      }
    }
  }
}

void SwapDb(Call& call) {
  if (call.settings().cluster.enabled) return call.reply().Error("ERR SWAPDB is not allowed in cluster mode");
  Args args(call);
  // Both must be numbers before either must name a database.
  const int first = TakeIndex(args, "ERR invalid first DB index");
  const int second = TakeIndex(args, "ERR invalid second DB index");
  for (int index : {first, second}) CheckDatabase(args, call, index);
  if (args.failed()) return args.Reply(call);
  if (first != second) {
    ExpireWatched(call, first, second);
    call.core().keyspace.Swap(first, second);
    for (int index : {first, second}) call.dispatcher().blocked().SignalAll(index);
    // Clients do not say in which database they have read.
    if (call.services().tracking != nullptr)
      call.services().tracking->InvalidateAll(call.dispatcher().context().index, call.session_id());
  }
  call.MarkDirty(1);
  call.reply().Ok();
}

constexpr CommandSpec kTable[] = {{
    .name = "swapdb",
    .synopsis = "index1:integer index2:integer",
    .summary = "Exchanges the contents of two databases, for all clients at once.",
    .since = "4.0.0",
    .group = "server",
    .complexity = "O(N) for N keys that clients watch in the two databases.",
    .arity = 3,
    .flags = Flag::kWrite | Flag::kFast | Flag::kWorld,
    .categories = "keyspace,dangerous",
    .run = SwapDb,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericSwapDatabaseCommands{kTable};

}  // namespace cinnabar::commands
