// A look-up that leaves the access clock alone but counts as a hit or a miss: what commands do that only ask
// about a key (EXISTS, TTL, TYPE, OBJECT).
#pragma once

#include "dispatch/call.h"

namespace cinnabar::commands {

inline keyspace::EntryRef Inspect(dispatch::Call& call, const keyspace::Key& key) {
  keyspace::EntryRef entry = call.db().Peek(key);
  if (entry) {
    ++call.core().hits;
  } else {
    call.db().CountMiss(key);
  }
  return entry;
}

}  // namespace cinnabar::commands
