// Listpack: a sequence of strings and integers in one run of bytes, in the layout that RDB files and Redis
// use (https://github.com/antirez/listpack/blob/master/listpack.md), so that payloads are copied, not
// rebuilt.
//
//   [total bytes: u32][elements: u16, 65535 = count them] [element]... [0xff]
//   element: [encoding and data][length of that, written so that it can be read backwards]
//
// A string that is the canonical decimal of an int64 is kept as an integer. A position is the offset of an
// element; kEnd stands behind the last. Functions that take a string_view only read. All of them but Valid
// trust the bytes: what came from outside is passed to Valid first. What is put into a listpack may not point
// into it, for its bytes move while it is written.
//
// Not thread-safe. A position dies with the next change of the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "structures/packed_bytes.h"

namespace cinnabar::listpack {

inline constexpr std::string_view kEmpty{"\x07\0\0\0\0\0\xff", 7};
inline constexpr size_t kEnd = 0;  // no element stands at offset 0

// Room for the digits of any int64.
struct Digits {
  char bytes[24];
};

struct Element {
  bool is_integer = false;
  int64_t integer = 0;
  std::string_view bytes;  // when not an integer; points into the listpack

  // The element as text; digits are written to the scratch.
  std::string_view Text(Digits& scratch) const;
};

size_t Count(std::string_view pack);
// Total bytes of an element that holds `value`, length field included.
size_t EncodedSize(std::string_view value);

size_t First(std::string_view pack);
size_t Last(std::string_view pack);
// kEnd behind the last (before the first) one.
size_t Next(std::string_view pack, size_t position);
size_t Previous(std::string_view pack, size_t position);
// The element number `index`, from the end if negative; kEnd when there is none. Walks from the nearer end.
size_t At(std::string_view pack, int64_t index);

Element Get(std::string_view pack, size_t position);
bool Equals(std::string_view pack, size_t position, std::string_view value);
// The first element from `position` on that equals `value`, looking at every (skip + 1)th only. kEnd if none.
size_t Find(std::string_view pack, size_t position, std::string_view value, size_t skip = 0);

// Before `position`; kEnd appends. Returns the position of the new element.
size_t Insert(PackedBytes& pack, size_t position, std::string_view value);
size_t InsertInteger(PackedBytes& pack, size_t position, int64_t value);
inline void Append(PackedBytes& pack, std::string_view value) {
  Insert(pack, kEnd, value);
}
inline void AppendInteger(PackedBytes& pack, int64_t value) {
  InsertInteger(pack, kEnd, value);
}
// Two neighbours at once (field and value, member and score): one move of the bytes behind them. Returns the
// position of the first.
size_t InsertPair(PackedBytes& pack, size_t position, std::string_view first, std::string_view second);
// Returns the position of the changed element.
size_t Replace(PackedBytes& pack, size_t position, std::string_view value);
size_t ReplaceInteger(PackedBytes& pack, size_t position, int64_t value);
// Removes up to `count` elements from `position` on. Returns the position of what follows them, or kEnd.
size_t Erase(PackedBytes& pack, size_t position, size_t count = 1);
// Appends all elements of `other`.
void AppendAll(PackedBytes& pack, std::string_view other);

// Whether the bytes are a complete listpack whose every element can be read both ways and whose header tells
// the truth. Everything else here may be called once this has said yes.
bool Valid(std::string_view bytes);

}  // namespace cinnabar::listpack
