// The keys of one hash slot, in a keyspace where each slot has a table of its own (Layout::kBySlot): their
// number, their names, and all of them at once. The cost is that of the answer, whatever the other slots
// hold.
//
// Keys whose time is over count until somebody has removed them. REQUIRES: the slot's shard is held.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "keyspace/keyspace.h"

namespace cinnabar::keyspace {

size_t CountKeysInSlot(const Keyspace& keyspace, int database, int slot);

// The names of up to `most` keys, in no order. Whoever asks again and again, and removes what is answered,
// pays for the slot's table once.
std::vector<std::string> KeysInSlot(Keyspace& keyspace, int database, int slot, size_t most);

// Takes all entries of a slot out; they are the caller's now, who tells those who watch them.
Table<Entry> TakeSlot(Keyspace& keyspace, int database, int slot);

}  // namespace cinnabar::keyspace
