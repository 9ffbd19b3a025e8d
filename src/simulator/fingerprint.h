// Fingerprints of byte strings that are the same in every process and on every machine (unlike base/hash.h):
// two data sets are compared by them, and two runs of one seed. Not for bytes from outside.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace cinnabar::simulator {

inline uint64_t Mix(uint64_t state, uint64_t word) {
  state = (state ^ word) * 0x9e3779b97f4a7c15;
  return state ^ (state >> 29);
}

inline uint64_t Fingerprint(std::string_view bytes, uint64_t state = 0) {
  state = Mix(state, bytes.size());
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    state = Mix(state, word);
    bytes.remove_prefix(8);
  }
  uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  return Mix(state, rest);
}

}  // namespace cinnabar::simulator
