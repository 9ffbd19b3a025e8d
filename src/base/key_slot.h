// The hash slot of a key, by which a cluster spreads its keys: CRC-16 of the key, or of what stands in its
// first braces if that is not empty, modulo 16,384.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
#pragma once

#include <string_view>

#include "base/crc16.h"

namespace cinnabar {

inline constexpr int kKeySlots = 16384;

// The part of a key that decides: what stands between its first brace and the first closing one behind it, or
// else the whole key.
inline std::string_view HashTagOf(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

inline int KeySlot(std::string_view key) {
  return Crc16(HashTagOf(key)) % kKeySlots;
}

}  // namespace cinnabar
