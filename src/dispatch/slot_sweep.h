// Removes the keys of a hash slot that another node of the cluster has now.
//
// For replicas and files each key goes with a record of its own, as with any other removal by the server
// itself. On a replica the files of this server alone are told: its stream is its primary's. Who watches a
// key, waits for it or has cached it is told; no keyspace event is sent to clients, as the keys live on
// elsewhere.
#pragma once

#include <cstddef>

namespace cinnabar::dispatch {

class Dispatcher;

// Gives the number of keys. On the dispatcher's own core, inside a command or outside. In a transaction the
// records are part of the transaction's. REQUIRES: the world is stopped, and the keyspace has a table for
// each slot.
size_t DropSlotKeys(Dispatcher& dispatcher, int slot);

}  // namespace cinnabar::dispatch
