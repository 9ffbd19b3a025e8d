// The names of the forms in which collections are kept, as OBJECT ENCODING answers them.
#pragma once

#include <string_view>

#include "types/value.h"

namespace cinnabar::types {

// Whether the packed bytes of a set are an intset; if not they are a listpack. An intset begins with the
// width of its numbers (2, 4 or 8), a listpack with its length in bytes, which is 7 or at least 9.
inline bool IsIntset(std::string_view packed_set) {
  const auto first = static_cast<unsigned char>(packed_set[0]);
  return (first == 2 || first == 4 || first == 8) && packed_set[1] == 0 && packed_set[2] == 0 &&
         packed_set[3] == 0;
}

// Of a collection kept as packed bytes; large ones answer with Value::encoding().
constexpr std::string_view kListpackName = "listpack", kIntsetName = "intset";
inline std::string_view PackedEncoding(Type type, std::string_view bytes) {
  return type == Type::kSet && IsIntset(bytes) ? kIntsetName : kListpackName;
}

}  // namespace cinnabar::types
