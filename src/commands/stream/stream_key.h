// How stream commands reach the stream at a key, and the rules of the version that we stand in for.
#pragma once

#include <memory>
#include <string_view>

#include "catalog/streams.h"
#include "dispatch/call.h"
#include "types/stream.h"

namespace cinnabar::commands {

// False when the key holds another type; WRONGTYPE has been answered then. `stream` is null when there is no
// key.
inline bool OpenStreamToRead(dispatch::Call& call, const keyspace::Key& key, types::Stream*& stream) {
  keyspace::EntryRef entry = call.db().FindRead(key);
  stream = nullptr;
  if (!call.Expect(entry, types::Type::kStream)) return false;
  if (entry) stream = static_cast<types::Stream*>(entry->object());
  return true;
}

inline bool OpenStreamToWrite(dispatch::Call& call, const keyspace::Key& key, types::Stream*& stream) {
  keyspace::EntryRef entry = call.db().FindToChange(key);
  stream = nullptr;
  if (!call.Expect(entry, types::Type::kStream)) return false;
  if (entry) stream = static_cast<types::Stream*>(entry->object());
  return true;
}

// REQUIRES: the key is not there. The keyspace owns the stream.
inline types::Stream& MakeStream(dispatch::Call& call, const keyspace::Key& key) {
  auto stream = std::make_unique<types::Stream>();
  types::Stream& made = *stream;
  types::Value* value = stream.release();
  call.db().Create(key, {.type = types::Type::kStream,
                         .place = keyspace::Place::kObject,
                         .word = reinterpret_cast<uint64_t>(value)});
  return made;
}

inline const catalog::StreamRules& StreamRulesOf(const dispatch::Call& call) {
  return call.settings().general.compat_version == config::CompatVersion::k70 ? catalog::kStreamRules70
                                                                              : catalog::kStreamRules72;
}

}  // namespace cinnabar::commands
