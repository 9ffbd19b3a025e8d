#include "commands/zset/sorted_sets.h"

namespace cinnabar::commands {

void EraseMembers(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                  const types::RankRange& range, std::string_view event) {
  types::SortedSet scores(holder);
  const bool all = range.count == scores.size();
  if (!all) scores.EraseRanks(range);
  call.Changed(config::kNotifySortedSet, event, key);
  call.MarkDirty(range.count - 1);
  if (all) DropCollection(call, key, holder);
}

size_t StoreSortedSet(dispatch::Call& call, const keyspace::Key& key, types::SortedSetBuilder& members,
                      std::string_view event) {
  const size_t count = members.size();
  if (count > 0) {
    types::OwnHolder collection = members.Finish(SortedSetLimits(call));
    StoreCollection(call, key, types::Type::kSortedSet, collection);
    call.Changed(config::kNotifySortedSet, event, key);
    return count;
  }
  if (keyspace::EntryRef old = call.db().FindWrite(key, keyspace::Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), key, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call.Changed(config::kNotifyGeneric, "del", key);
  }
  return 0;
}

}  // namespace cinnabar::commands
