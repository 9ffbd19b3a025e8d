// Values as RDB files and DUMP payloads hold them.
//
// Written in the oldest form that can hold the value, so that Redis 7.0 reads it (7.4 where the fields of a
// hash expire). Read in every form that Redis 2.x to 7.4 wrote:
//
//   string           one string
//   list             elements | a ziplist | nodes: ziplists, or listpacks and plain elements
//   set              members | an intset | a listpack
//   sorted set       members and scores (text or binary) | a ziplist or listpack: member, score ...
//   hash             fields and values | a zipmap, ziplist or listpack | with the moments when fields expire
//   stream           nodes, counters, groups with pending entries and consumers
//
// Packed forms within the limits stay as they are: those bytes go into the entry. Only the listpack of a hash
// is made shorter on its way in, and again what it was on its way out (structures/packed_pairs.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "config/settings.h"
#include "keyspace/entry.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "types/holder.h"
#include "types/list_options.h"
#include "types/set.h"
#include "types/value.h"

namespace cinnabar::persistence {

// Beyond these a collection is not kept packed.
struct ValueLimits {
  types::ListOptions list;
  types::SetLimits set;
  types::PackLimits sorted_set;
  types::PackLimits hash;
};
ValueLimits LimitsFrom(const config::Settings& settings);

// A value that no key owns yet.
struct RdbValue {
  RdbValue() = default;
  RdbValue(const RdbValue&) = delete;  // `bytes` may point into `room`
  RdbValue& operator=(const RdbValue&) = delete;

  types::Type type = types::Type::kString;
  // Of a string, or of a packed collection. Points into the input or into `room`: valid while both are.
  std::string_view bytes;
  // A large collection; null if it is packed.
  std::unique_ptr<types::Value> object;
  // What was put right, in a few words that live for ever; empty if all was right.
  std::string_view mended;
  RdbRoom room;

  // Takes a finished collection.
  void Take(types::OwnHolder& collection);
};

// What makes an entry of the value; a large collection is handed over.
keyspace::Entry::Payload PayloadOf(RdbValue& value);

// The form in which WriteValue writes the value, for readers of RDB version `version` (10 and more). Where
// that cannot hold the value the form of a later one.
RdbType TypeFor(const keyspace::Entry& entry, uint16_t version = kRdbVersion70);
// The least version of a file or payload with such a value.
uint16_t VersionFor(RdbType type);
// Writes what follows the type. REQUIRES: type is TypeFor(entry).
void WriteValue(RdbWriter& out, const keyspace::Entry& entry, RdbType type);

// Reads what follows the type, checks all of it, and leaves the reader behind it. False, with the fault in
// the reader and nothing in `value` that could be used, when it is not a value.
bool ReadValue(RdbReader& in, uint8_t type, const ValueLimits& limits, RdbValue& value);

}  // namespace cinnabar::persistence
