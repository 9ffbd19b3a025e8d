// Strings in entries: how bytes become an entry's value and back.
//
// A string that is the canonical text of an int64 is kept as a number, one of up to Entry::kInlineMax bytes
// inside the entry, a longer one in a shared block. OBJECT ENCODING keeps Redis's names: int, embstr (at most
// 44 bytes and never changed in place), raw.
#pragma once

#include <optional>
#include <string_view>

#include "base/numbers.h"
#include "keyspace/database.h"

namespace cinnabar::keyspace {

// The value for `bytes`. Block payloads are owned by the entry that takes them.
Entry::Payload StringPayload(std::string_view bytes);
// The value of a string of more than Entry::kInlineMax bytes, which stay where they are.
Entry::Payload BlockPayload(SharedBytes bytes);
inline Entry::Payload IntegerPayload(int64_t value) {
  return {types::Type::kString, Place::kInteger, {}, static_cast<uint64_t>(value)};
}

// The bytes of a string entry. `scratch` holds the digits of a number; the view dies with it or the entry.
struct DigitScratch {
  char digits[kInt64TextBytes];
};
std::string_view StringBytes(const Entry& entry, DigitScratch& scratch);
size_t StringLength(const Entry& entry);
// The value as an integer, if it is one.
std::optional<int64_t> StringInteger(const Entry& entry);

// "int", "embstr" or "raw".
std::string_view StringEncoding(const Entry& entry);

// Makes the value `size` bytes of writable memory (new bytes are zero) that nobody shares, and returns it.
// The content stays as far as it fits. The view is valid until the entry changes.
char* MutableString(EntryRef& entry, size_t size);

}  // namespace cinnabar::keyspace
