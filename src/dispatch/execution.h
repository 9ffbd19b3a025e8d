// Execution: what belongs to one run under locks and to no other: the locks that it takes, the effects and
// changed keys that it has collected, how far it has written the journal, and what it may do meanwhile.
//
// A core has one at a time. A long command that gives others a turn puts its own aside as a whole, and what
// runs in the turn begins with a new one (Dispatcher::NestedTurn), so that no run can leave anything to
// another. Whatever is added here is kept apart without further code.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/ready_keys.h"
#include "journal/journal.h"

namespace cinnabar::dispatch {

struct LockPlan {
  bool world = false;
  std::vector<uint32_t> shards;
};

struct Execution {
  LockPlan plan;
  journal::Effects effects;     // not in the journal yet
  const char* text = nullptr;   // of the request that runs next, where it is canonical
  uint64_t appended = 0;        // journal offset behind what it appended; 0: nothing that is not noted yet
  bool in_transaction = false;  // EXEC runs its queue
  bool queued_failed = false;   // a command of that queue answered with an error
  bool time_frozen = false;     // the instant does not change between its commands
  bool hides_expired = false;   // reads beside a long command: expired keys are hidden and stay
  bool outruns_pause = false;   // may write, and CLIENT PAUSE has let it through: expired keys go
  bool spares_clocks = false;   // uses of keys leave no trace (CLIENT NO-TOUCH)
  bool yielded = false;         // has given others a turn
  ReadyKeys ready;              // changed under the locks that are held now
  const ReadyKey* serving = nullptr;                    // the ready key whose waiters are served
  const std::vector<uint32_t>* serving_held = nullptr;  // shards taken for deferred service
};

}  // namespace cinnabar::dispatch
