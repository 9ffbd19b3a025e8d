// How commands reach the collection at a key:
//
//   keyspace::EntryHolder holder;
//   if (!OpenToRead(call, key, types::Type::kHash, holder)) return;   // WRONGTYPE has been answered
//   if (!holder.exists()) return call.reply().Null();
//   types::Hash hash(holder);
//
// A command that adds makes the collection first (MakeCollection) and never leaves it empty (DropIfEmpty).
#pragma once

#include <string_view>

#include "commands/generic/removal.h"
#include "config/config.h"
#include "dispatch/call.h"
#include "keyspace/entry_holder.h"

namespace cinnabar::commands {

// False when the key holds another type; WRONGTYPE has been answered then.
inline bool OpenToRead(dispatch::Call& call, const keyspace::Key& key, types::Type type,
                       keyspace::EntryHolder& holder) {
  keyspace::EntryRef entry = call.db().FindRead(key);
  if (!call.Expect(entry, type)) return false;
  holder.Open(entry);
  return true;
}

inline bool OpenToWrite(dispatch::Call& call, const keyspace::Key& key, types::Type type,
                        keyspace::EntryHolder& holder) {
  keyspace::EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, type)) return false;
  holder.Open(entry);
  return true;
}

// REQUIRES: the key is not there.
inline void MakeCollection(dispatch::Call& call, const keyspace::Key& key, types::Type type,
                           std::string_view packed, keyspace::EntryHolder& holder) {
  holder.Open(call.db().Create(key, {.type = type, .place = keyspace::Place::kInline, .bytes = packed}));
}

// Puts a finished collection in the place of what the key held (results of STORE commands); the expiry
// goes. The caller says what changed.
void StoreCollection(dispatch::Call& call, const keyspace::Key& key, types::Type type,
                     types::OwnHolder& collection);

// Removes a key whose last element has gone, and announces that. REQUIRES: the caller has said what changed.
void DropCollection(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder);

}  // namespace cinnabar::commands
