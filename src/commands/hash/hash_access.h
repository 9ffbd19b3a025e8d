// What the hash commands share: opening the hash at a key, storing fields, replying with elements.
#pragma once

#include <string_view>

#include "commands/collection.h"
#include "types/hash.h"

namespace cinnabar::commands {

inline types::PackLimits HashLimits(const dispatch::Call& call) {
  const config::Encoding& encoding = call.settings().encoding;
  return {encoding.hash_max_listpack_entries, encoding.hash_max_listpack_value_bytes};
}

// By which moment fields have expired: `now`, and none while a journal is replayed, whose records were made
// when those fields were alive and which says itself what expired.
inline Millis FieldClock(const dispatch::Call& call) {
  return call.core().expiry_clock;
}

inline void ReplyElement(protocol::ReplyWriter& reply, const listpack::Element& element) {
  if (element.is_integer) return reply.BulkInteger(element.integer);
  reply.Bulk(element.bytes);
}

// An existing hash to be changed, or no key. Removes a few fields that have expired, perhaps the key with the
// last. False when the key holds another type; WRONGTYPE has been answered then.
bool OpenHashToWrite(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder);

// Makes an empty hash if the key is not there: a field must be stored next.
void EnsureHash(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder);

// Where a field is to be stored. One that has expired is announced and removed first, so that replicas do not
// keep what was there.
types::Hash::Spot FindToStore(dispatch::Call& call, const keyspace::Key& key, types::Hash& hash,
                              std::string_view field);

// Stores pairs of fields and values (argv[first], argv[first + 1] ...) and gives the number of new fields.
// REQUIRES: at least one pair. The caller says what changed.
int64_t StorePairs(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                   std::span<const std::string_view> pairs);

// Removes the key if its last field has gone, and announces that.
inline void DropIfEmpty(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder) {
  if (types::Hash(holder).empty()) DropCollection(call, key, holder);
}

}  // namespace cinnabar::commands
