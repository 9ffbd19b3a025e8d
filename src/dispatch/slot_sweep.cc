#include "dispatch/slot_sweep.h"

#include <algorithm>

#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "keyspace/slot_keys.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Entry;
using keyspace::Keyspace;

class Dropping {
 public:
  Dropping(Dispatcher& dispatcher, int slot)
      : context_(dispatcher.context()),
        slot_(slot),
        lazy_(context_.services.settings.memory.lazyfree_lazy_server_del) {}

  size_t DropAll() {
    size_t dropped = 0;
    for (int database = 0; database < context_.core.keyspace.databases(); ++database) {
      const Table<Entry> taken = keyspace::TakeSlot(context_.core.keyspace, database, slot_);
      for (size_t bucket = 0; bucket < taken.bucket_count(); ++bucket) {
        taken.VisitBucket(bucket, [&](TableSlot& slot) { slot.FetchEntry(); });
        taken.VisitBucket(bucket, [&](TableSlot& slot) { Drop(database, slot.entry<Entry>()); });
      }
      dropped += taken.size();
    }
    return dropped;
  }

 private:
  // What the transaction has already done must stand before this in the stream.
  void Drop(int database, Entry* entry) {
    const keyspace::Key key = context_.core.keyspace.KeyOf(entry->key());
    keyspace::Database(context_.core, database).MarkChanged(key);
    if (context_.services.journal.active()) {
      context_.run.effects.Add(database, {lazy_ ? "UNLINK" : "DEL", key.bytes});
      if (!context_.run.in_transaction) context_.FlushEffects();
    }
    if (!lazy_ || !entry->slow_to_free()) return Entry::Destroy(entry);
    context_.services.control.Defer([entry] { Entry::Destroy(entry); });
  }

  CoreContext& context_;
  const int slot_;
  const bool lazy_;
};

}  // namespace

size_t DropSlotKeys(Dispatcher& dispatcher, int slot) {
  CoreContext& context = dispatcher.context();
  if (context.run.in_transaction) return Dropping(dispatcher, slot).DropAll();
  // A command may be on its way; it goes on as it was, but its reply waits for these records, too.
  uint64_t appended = 0;
  size_t dropped = 0;
  {
    const NestedRun run(context);
    dropped = Dropping(dispatcher, slot).DropAll();
    dispatcher.blocked().FinishChanges();
    appended = context.run.appended;
    const auto shard = static_cast<uint32_t>(Keyspace::ShardOfTable(Keyspace::TableOfSlot(slot)));
    context.NoteShards({&shard, 1});
  }
  context.run.appended = std::max(context.run.appended, appended);
  return dropped;
}

}  // namespace cinnabar::dispatch
