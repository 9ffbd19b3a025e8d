// DEL and UNLINK.
#include "commands/generic/removal.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void RemoveAll(Call& call, Freeing freeing) {
  int64_t removed = 0;
  for (size_t i = 1; i < call.argc(); ++i) {
    const Key key = call.key(i);
    EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
    if (!entry) continue;
    Remove(call, call.db(), key, entry, freeing);
    call.Changed(config::kNotifyGeneric, "del", key);
    ++removed;
  }
  call.reply().Integer(removed);
}

void Del(Call& call) {
  RemoveAll(call, call.settings().memory.lazyfree_lazy_user_del ? Freeing::kInBackground : Freeing::kAtOnce);
}

void Unlink(Call& call) {
  RemoveAll(call, Freeing::kInBackground);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "del",
        .synopsis = "key...",
        .summary = "Removes keys and says how many there were.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(N) for N keys; removing a collection also takes time for each of its elements.",
        .arity = -2,
        .flags = Flag::kWrite,
        .keys = {dispatch::KeyRange(KeyUse::kRm | KeyUse::kDelete, 1, -1)},
        .tips = "request_policy:multi_shard,response_policy:agg_sum",
        .run = Del,
    },
    {
        .name = "unlink",
        .synopsis = "key...",
        .summary = "Removes keys at once and frees large values later, on another thread.",
        .since = "4.0.0",
        .group = "generic",
        .complexity = "O(1) for each key, whatever its size; the memory is freed by another thread in time "
                      "proportional to the number of allocations.",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::KeyRange(KeyUse::kRm | KeyUse::kDelete, 1, -1)},
        .tips = "request_policy:multi_shard,response_policy:agg_sum",
        .run = Unlink,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericDeleteCommands{kTable};

}  // namespace cinnabar::commands
