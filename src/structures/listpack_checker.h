// Reads bytes that may not be a listpack, once from the front to the back, and checks them on the way: who
// would walk through them anyway need not ask listpack::Valid first.
#pragma once

#include <cstddef>
#include <string_view>

#include "structures/listpack.h"

namespace cinnabar::listpack {

class Checker {
 public:
  explicit Checker(std::string_view bytes);

  // False behind the last element, and where the bytes are broken.
  bool Next(Element& element);
  // Of the element that Next gave.
  size_t position() const { return position_; }
  size_t count() const { return count_; }
  // How many elements the header claims; kUnknown when it leaves that open.
  static constexpr size_t kUnknown = 65535;
  size_t told_count() const { return told_count_; }
  // After Next has said false: whether all of it was a listpack.
  bool intact() const { return intact_; }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
  size_t next_;
  size_t count_ = 0;
  size_t told_count_ = 0;
  bool intact_ = false;
};

}  // namespace cinnabar::listpack
