// HyperLogLogs as keys hold them: strings with a valid header.
#pragma once

#include <string_view>

#include "catalog/errors.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"
#include "structures/hyperloglog.h"

namespace cinnabar::commands {

// Whether the entry, if there is one, is a HyperLogLog; writes the error if not.
inline bool ExpectHyperLogLog(dispatch::Call& call, const keyspace::EntryRef& entry) {
  if (!entry) return true;
  if (!call.Expect(entry, types::Type::kString)) return false;
  keyspace::DigitScratch scratch;
  if (hyperloglog::HasValidHeader(keyspace::StringBytes(*entry, scratch))) return true;
  call.reply().Error(errors::kNotHyperLogLog);
  return false;
}

// REQUIRES: the entry is a HyperLogLog, which no number is.
inline std::string_view HyperLogLogBytes(const keyspace::Entry& entry) {
  return entry.place() == keyspace::Place::kInline
             ? entry.inline_bytes()
             : std::string_view(entry.block()->data, entry.block()->size);
}

inline void ReplyCorrupt(dispatch::Call& call) {
  call.reply().Error(errors::kCorruptHyperLogLog);
}

inline size_t SparseBytesMax(const dispatch::Call& call) {
  return static_cast<size_t>(call.settings().encoding.hll_sparse_max_bytes);
}

}  // namespace cinnabar::commands
