// HeldShard: one shard of a sweep over the keyspace, held for as long as the object lives.
//
// Inside a transaction the world is stopped and nothing needs to be locked. Outside, what happened under the
// lock (keys that turned out to have expired) reaches the journal before the lock is released.
#pragma once

#include "dispatch/call.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::commands {

class HeldShard {
 public:
  HeldShard(dispatch::Call& call, size_t shard) : call_(call), shard_(shard) {
    if (!call_.in_transaction()) call_.dispatcher().long_commands().LockServing(shard_);
  }
  HeldShard(const HeldShard&) = delete;
  HeldShard& operator=(const HeldShard&) = delete;
  ~HeldShard() {
    if (call_.in_transaction()) return;
    FlushEffects();
    call_.core().keyspace.Unlock(shard_);
  }

  // Removes a key of this shard if it has expired. Its record stands alone in the journal.
  void Expire(keyspace::Database& database, std::string_view name) {
    database.Peek(database.keyspace().KeyOf(name));
    if (!call_.in_transaction()) FlushEffects();
  }

 private:
  void FlushEffects() { call_.dispatcher().blocked().EndChanges(shard_); }

  dispatch::Call& call_;
  const size_t shard_;
};

}  // namespace cinnabar::commands
