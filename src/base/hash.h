// A keyed 64-bit hash of a byte string, for tables whose keys come from outside.
//
// Folded multiplication over 16-byte steps, after wyhash (Wang Yi, public domain) and the "folded multiply"
// construction of ahash. The seed is drawn at start-up, so that colliding keys cannot be prepared in advance.
// The whole value is well mixed: callers take any bits.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace cinnabar {

namespace hash_internal {

inline uint64_t Load64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
inline uint64_t Load32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
inline uint64_t Fold(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace hash_internal

inline uint64_t HashBytes(std::string_view bytes, uint64_t seed) {
  using namespace hash_internal;
  constexpr uint64_t kA = 0xa0761d6478bd642full, kB = 0xe7037ed1a0b428dbull, kC = 0x8ebc6af09c88c6e3ull;
  const char* p = bytes.data();
  size_t n = bytes.size();
  uint64_t state = seed ^ (kC + n);
  while (n > 16) {
    state = Fold(Load64(p) ^ kA, Load64(p + 8) ^ state);
    p += 16;
    n -= 16;
  }
  uint64_t first = 0, second = 0;
  if (n >= 8) {
    first = Load64(p);
    second = Load64(p + n - 8);
  } else if (n >= 4) {
    first = Load32(p);
    second = Load32(p + n - 4);
  } else if (n > 0) {
    first = static_cast<uint8_t>(p[0]) | uint64_t{static_cast<uint8_t>(p[n / 2])} << 8 |
            uint64_t{static_cast<uint8_t>(p[n - 1])} << 16;
  }
  return Fold(Fold(first ^ kA, second ^ state), kB ^ bytes.size());
}

}  // namespace cinnabar
