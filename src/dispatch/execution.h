// Execution: what belongs to one run under locks and to no other: the locks that it takes, the effects and
// changed keys that it has collected, how far it has written the journal, and what it may do meanwhile.
//
// A core has one at a time. Where one run happens inside another (the turn that a long command gives, the
// replay of a file that a command asks for), a NestedRun puts the outer Execution aside as a whole and begins
// with a new one, so that no run can leave anything to another. Whatever is added here is kept apart without
// further code.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/ready_keys.h"
#include "journal/journal.h"
#include "keyspace/database.h"

namespace cinnabar::dispatch {

class ScriptRun;

struct LockPlan {
  bool world = false;
  bool tells_of_data = true;     // of a transaction: whether one of its commands reads or changes data
  std::vector<uint32_t> shards;  // ascending, each once, while they are held
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
  bool put_off = false;         // the command has done nothing: it runs again when others have caught up
  bool start_over = false;      // a script has been given up: it left no trace, and runs again with the world
  bool restarted = false;       // ... which is now
  bool error_counted = false;   // the error that comes next is one that statistics have counted already
  ScriptRun* script = nullptr;  // the script that runs
  std::vector<keyspace::HeldNews>* held_news = nullptr;  // see CoreState
  ReadyKeys ready;                                       // changed under the locks that are held now
  const ReadyKey* serving = nullptr;                     // the ready key whose waiters are served
  const std::vector<uint32_t>* serving_held = nullptr;   // shards taken for deferred service
};

}  // namespace cinnabar::dispatch
