// Zipmap: how Redis kept small hashes until 2.4. Read only.
//
//   [pairs: u8, 254 or more = count them] ([length][field][length][unused: u8][value][unused bytes])...
//   [0xff] length: below 254, or 254 and a u32
//
// The bytes come from outside: a Reader believes nothing.
#pragma once

#include <cstddef>
#include <string_view>

#include "structures/packed_bytes.h"

namespace cinnabar::zipmap {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes), valid_(!bytes.empty()) {}

  // False at the end, or where the bytes are broken. Views point into the bytes.
  bool Next(std::string_view& field, std::string_view& value);
  // Final when Next has returned false: whether all of it was right.
  bool valid() const { return valid_; }

 private:
  bool ReadLength(size_t& length);
  bool ReadBytes(size_t length, std::string_view& bytes);
  bool ReadPair(std::string_view& field, std::string_view& value);
  size_t left() const { return bytes_.size() - position_; }

  std::string_view bytes_;
  size_t position_ = 1;
  size_t count_ = 0;
  bool valid_;
};

// Appends all fields and values to a listpack. False, with some of them appended, when the zipmap is broken.
bool AppendTo(PackedBytes& pack, std::string_view zipmap);

}  // namespace cinnabar::zipmap
