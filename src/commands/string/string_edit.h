// How commands change the bytes of a string: append, overwrite, set bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "catalog/errors.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {

// The value of a string without bytes.
inline keyspace::Entry::Payload EmptyString() {
  return {types::Type::kString, keyspace::Place::kInline, {}, 0};
}

// Whether a string may be that long; writes the error if not.
inline bool CheckStringSize(dispatch::Call& call, uint64_t size) {
  if (size <= static_cast<uint64_t>(call.settings().clients.proto_max_bulk_len_bytes)) return true;
  call.reply().Error(errors::kStringTooLong);
  return false;
}

// Makes the value at least `size` bytes long, with zeros, and returns its writable bytes: of a new key when
// `entry` is none. `length` becomes the value's length. REQUIRES: the entry, if there is one, is a string.
inline char* GrowString(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryRef& entry,
                        size_t size, size_t& length) {
  if (!entry) entry = call.db().Create(key, EmptyString());
  length = std::max(size, keyspace::StringLength(*entry));
  return keyspace::MutableString(entry, length);
}

// Gives the key computed bytes. They are not taken for a number even if they spell one, as OBJECT ENCODING
// shows. The expiry stays; what the key held before may be of any type.
inline void StoreBytes(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryRef& entry,
                       std::string_view bytes) {
  if (entry) {
    call.db().Replace(entry, EmptyString());
  } else {
    entry = call.db().Create(key, EmptyString());
  }
  std::memcpy(keyspace::MutableString(entry, bytes.size()), bytes.data(), bytes.size());
}

}  // namespace cinnabar::commands
