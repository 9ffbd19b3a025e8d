#include "commands/set/source_sets.h"

namespace cinnabar::commands {

ResultSet::~ResultSet() {
  if (!holder.packed()) FreeValue(call, holder.TakeObject());
}

void StoreResult(dispatch::Call& call, const keyspace::Key& destination, ResultSet& result,
                 std::string_view event) {
  const size_t size = result.set.size();
  if (size != 0) {
    StoreCollection(call, destination, types::Type::kSet, result.holder);
    call.Changed(config::kNotifySet, event, destination);
  } else if (keyspace::EntryRef old = call.db().FindToChange(destination, keyspace::Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), destination, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call.Changed(config::kNotifyGeneric, "del", destination);
  }
  call.reply().Integer(static_cast<int64_t>(size));
}

}  // namespace cinnabar::commands
