// RANDOMKEY and DBSIZE: commands that ask every table for its size.
#include <string>
#include <vector>

#include "commands/generic/held_shard.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Entry;
using keyspace::Keyspace;
namespace Flag = dispatch::Flag;

// The sizes of all tables of the session's database, each read with its shard held.
class TableSizes {
 public:
  explicit TableSizes(Call& call) : sizes_(call.core().keyspace.tables()) {
    const keyspace::ShardTable* first = call.core().keyspace.tables_if_any(call.db().index());
    for (size_t shard = 0; first != nullptr && shard < Keyspace::kShards; ++shard) {
      HeldShard held(call, shard);
      for (size_t table = shard; table < sizes_.size(); table += Keyspace::kShards) {
        sizes_[table] = first[table].entries.size();
        total_ += sizes_[table];
      }
    }
  }

  uint64_t total() const { return total_; }
  // The table of the key with this number below total().
  size_t TableOfNumber(uint64_t number) const {
    size_t table = 0;
    while (number >= sizes_[table]) number -= sizes_[table++];
    return table;
  }
  void Forget(size_t table, uint64_t keys) {
    sizes_[table] -= keys;
    total_ -= keys;
  }

 private:
  std::vector<uint64_t> sizes_;
  uint64_t total_ = 0;
};

// Where expired keys may not be removed, a draw is repeated this often before one of them is returned.
constexpr int kDrawsMax = 100;

void RandomKey(Call& call) {
  TableSizes sizes(call);
  Random& random = call.core().random;
  int draws = 0;
  while (sizes.total() > 0) {
    const size_t number = sizes.TableOfNumber(random.Uniform(sizes.total()));
    HeldShard held(call, Keyspace::ShardOfTable(number));
    Table<Entry>& table = call.core().keyspace.table(call.db().index(), number).entries;
    if (table.size() == 0) {
      sizes.Forget(number, 1);
      continue;
    }
    const Entry* entry = table.Sample([&](uint64_t n) { return random.Uniform(n); })->entry<const Entry>();
    if (!entry->expired(call.now()) || (!call.core().may_expire && ++draws >= kDrawsMax)) {
      return call.reply().Bulk(entry->key());
    }
    if (!call.core().may_expire) continue;
    held.Expire(call.db(), std::string(entry->key()));
    sizes.Forget(number, 1);
  }
  call.reply().Null();
}

void DbSize(Call& call) {
  call.reply().Integer(static_cast<int64_t>(TableSizes(call).total()));
}

constexpr CommandSpec kTable[] = {
    {
        .name = "randomkey",
        .synopsis = "",
        .summary = "Returns the name of some key; each has the same chance.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kReadOnly | Flag::kSweep,
        .tips = "request_policy:all_shards,nondeterministic_output",
        .run = RandomKey,
    },
    {
        .name = "dbsize",
        .synopsis = "",
        .summary = "Returns the number of keys in the database.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kReadOnly | Flag::kFast | Flag::kSweep,
        .categories = "keyspace",
        .tips = "request_policy:all_shards,response_policy:agg_sum",
        .run = DbSize,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericRandomKeyCommands{kTable};

}  // namespace cinnabar::commands
