// Numbers in byte arrays, little-endian and at any address.
#pragma once

#include <cstring>

namespace cinnabar {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

template <typename T>
T LoadAs(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void StoreAs(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace cinnabar
