#include "commands/collection.h"

namespace cinnabar::commands {

using keyspace::EntryRef;
using keyspace::Place;

void StoreCollection(dispatch::Call& call, const keyspace::Key& key, types::Type type,
                     types::OwnHolder& collection) {
  if (EntryRef old = call.db().FindToChange(key, keyspace::Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), key, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  }
  if (collection.packed()) {
    call.db().Create(key, {.type = type, .place = Place::kInline, .bytes = collection.view()});
  } else {
    const auto word = reinterpret_cast<uint64_t>(collection.TakeObject().release());
    call.db().Create(key, {.type = type, .place = Place::kObject, .word = word});
  }
}

void DropCollection(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder) {
  const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
  Remove(call, call.db(), key, holder.entry(), lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  call.Notify(config::kNotifyGeneric, "del", key.bytes);
}

}  // namespace cinnabar::commands
