// Equality of short byte strings without a call: keys and names are a few words long.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace cinnabar {

inline bool SameBytes(const char* a, const char* b, size_t size) {
  auto word = [](const char* p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
  };
  auto half = [](const char* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
  };
  if (size > 16) return word(a) == word(b) && std::memcmp(a + 8, b + 8, size - 8) == 0;
  if (size >= 8) return word(a) == word(b) && word(a + size - 8) == word(b + size - 8);
  if (size >= 4) return half(a) == half(b) && half(a + size - 4) == half(b + size - 4);
  if (size == 0) return true;
  return a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1];
}

inline bool SameBytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && SameBytes(a.data(), b.data(), a.size());
}

}  // namespace cinnabar
