// Packed pairs: fields and their values in one run of bytes, as small hashes are kept.
//
//   [pairs: u8, 255 = count them] [pair]...                   the end of the bytes is the end of the pairs
//   pair: [head][field][value]
//   head: 4 bits for the field (the high ones), 4 bits for the value
//         0..14   a string of so many bytes, as it is
//         15      an element as listpacks have it, without the length behind: an integer, a longer string
//
// A listpack of the same pairs is longer by 6 bytes and by one to three bytes for each pair (three when both
// are short strings), because it can be walked backwards and tells its own length. Small hashes share one
// allocation with their key, so a few bytes decide on the allocator's size class. Pairs are walked forwards
// only: what looks for a field or a number reads all that stand before it.
//
// As in a listpack, a string that is the canonical decimal of an int64 is kept as an integer; so there is one
// way to write a field, and looking for it compares bytes.
//
// A position is the offset of a pair's head; kEnd stands behind the last. Functions that take a string_view
// only read. All of them trust the bytes, which only functions from here have written: what comes from
// outside comes as a listpack. What is put in may not point into the same pairs.
//
// Not thread-safe. A position, and the views of a Pair, die with the next change of the bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "structures/listpack.h"
#include "structures/packed_bytes.h"

namespace cinnabar::packed_pairs {

inline constexpr std::string_view kEmpty{"\0", 1};
inline constexpr size_t kEnd = 0;  // no pair stands at offset 0

struct Pair {
  listpack::Element field;
  listpack::Element value;
  size_t next = kEnd;  // position of the pair that follows
};

// O(1) up to 254, beyond that a walk.
size_t Count(std::string_view pairs);
// Most that a field and a value of so many bytes add.
constexpr size_t SizeMost(size_t field_bytes, size_t value_bytes) {
  return 1 + 5 + field_bytes + 5 + value_bytes;
}

inline size_t First(std::string_view pairs) {
  return pairs.size() == kEmpty.size() ? kEnd : kEmpty.size();
}
Pair Get(std::string_view pairs, size_t position);
// The pair number `index`. REQUIRES: index < Count(pairs).
Pair At(std::string_view pairs, size_t index);

struct Found {
  size_t position = kEnd;  // kEnd: there is no such field
  listpack::Element value;
};
Found Find(std::string_view pairs, std::string_view field);

// REQUIRES: no such field.
void Append(PackedBytes& pairs, std::string_view field, std::string_view value);
void SetValue(PackedBytes& pairs, size_t position, std::string_view value);
void Erase(PackedBytes& pairs, size_t position);

// The same fields and values as a listpack: field, value, field, value ... Small ones take no allocation.
class AsListpack {
 public:
  explicit AsListpack(std::string_view pairs);
  AsListpack(const AsListpack&) = delete;
  AsListpack& operator=(const AsListpack&) = delete;

  std::string_view view() const { return view_; }

 private:
  char near_[512];
  std::unique_ptr<char[]> far_;
  std::string_view view_;
};

// A listpack of fields and values becomes pairs, in its place: they are never longer. REQUIRES: it is valid,
// its elements are of even number, and its fields differ.
void FromListpack(std::string& listpack);

}  // namespace cinnabar::packed_pairs
