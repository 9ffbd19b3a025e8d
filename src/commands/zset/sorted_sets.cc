#include "commands/zset/sorted_sets.h"

#include <algorithm>

namespace cinnabar::commands {

void EraseMembers(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                  const types::RankRange& range, std::string_view event) {
  types::SortedSet scores(holder);
  const bool all = range.count == scores.size();
  constexpr uint64_t kSlice = 64;
  for (uint64_t erased = 0, count; !all && erased < range.count; erased += count) {
    count = std::min(kSlice, range.count - erased);
    scores.EraseRanks({range.first, count});
    call.Yield(static_cast<uint32_t>(count));
  }
  call.Changed(config::kNotifySortedSet, event, key);
  call.MarkDirty(range.count - 1);
  if (all) DropCollection(call, key, holder);
}

size_t StoreSortedSet(dispatch::Call& call, const keyspace::Key& key, types::SortedSetBuilder& members,
                      std::string_view event) {
  const size_t count = members.size();
  if (count > 0) {
    types::OwnHolder collection =
        members.Finish(SortedSetLimits(call), [&](uint32_t steps) { call.Yield(steps); });
    StoreCollection(call, key, types::Type::kSortedSet, collection);
    call.Changed(config::kNotifySortedSet, event, key);
    return count;
  }
  if (keyspace::EntryRef old = call.db().FindToChange(key, keyspace::Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), key, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call.Changed(config::kNotifyGeneric, "del", key);
  }
  return 0;
}

}  // namespace cinnabar::commands
