// Ziplist: how Redis kept small collections before listpacks (until 7.0). Read only: what old files hold is
// converted to listpacks.
//
//   [total bytes: u32][offset of the last: u32][elements: u16, 65535 = count them] [element]... [0xff]
//   element: [bytes of the one before: 1, or 254 and 4][encoding][data]
//
// The bytes come from outside: a Reader believes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "structures/listpack.h"
#include "structures/packed_bytes.h"

namespace cinnabar::ziplist {

class Reader {
 public:
  explicit Reader(std::string_view bytes);

  // False at the end, or where the bytes are broken. The element points into the bytes.
  bool Next(listpack::Element& element);
  // Final when Next has returned false: whether all of it, header included, was right.
  bool valid() const { return valid_; }

 private:
  // Reads the length of the element before; false if it lies.
  bool ReadBackLength();
  bool ReadElement(listpack::Element& element);
  bool Fail() {
    valid_ = false;
    return false;
  }
  size_t left() const { return end_ - position_; }

  std::string_view bytes_;
  size_t position_;
  size_t end_;  // where the terminator stands
  size_t previous_ = 0;
  size_t last_ = 0;  // where the element before begins
  size_t count_ = 0;
  bool valid_;
};

// Appends all elements to a listpack. False, with some of them appended, when the ziplist is broken.
bool AppendTo(PackedBytes& pack, std::string_view ziplist);

}  // namespace cinnabar::ziplist
