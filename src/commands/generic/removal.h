// How removed entries are freed: at once, or large ones by a worker thread.
#pragma once

#include "dispatch/call.h"

namespace cinnabar::commands {

enum class Freeing : uint8_t { kAtOnce, kInBackground };

// Frees an entry that was taken out of its table.
void FreeEntry(dispatch::Call& call, keyspace::Entry* entry, Freeing freeing);

// Frees what a command has made for itself: a large one in the background, since nobody asked for it.
void FreeValue(dispatch::Call& call, std::unique_ptr<types::Value> value);

// Takes an entry out of its table and frees it.
inline void Remove(dispatch::Call& call, keyspace::Database& database, const keyspace::Key& key,
                   keyspace::EntryRef entry, Freeing freeing) {
  FreeEntry(call, database.Take(key, entry), freeing);
}

}  // namespace cinnabar::commands
