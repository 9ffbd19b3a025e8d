// How a value is kept, in the words of the Redis version that clients expect (`compat-version`).
#pragma once

#include <string_view>

#include "catalog/encodings.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"
#include "types/encoding.h"

namespace cinnabar::commands {

inline std::string_view EncodingName(const dispatch::Call& call, const keyspace::Entry& entry) {
  if (entry.type() == types::Type::kString) return keyspace::StringEncoding(entry);
  const std::string_view encoding = entry.place() == keyspace::Place::kObject
                                        ? entry.object()->encoding()
                                        : types::PackedEncoding(entry.type(), entry.inline_bytes());
  const bool current = call.settings().general.compat_version != config::CompatVersion::k70;
  return current ? encoding : catalog::EncodingBefore72(types::TypeName(entry.type()), encoding);
}

}  // namespace cinnabar::commands
