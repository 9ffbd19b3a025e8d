// Seeds for the hash tables of large collections: unknown to clients, another for each object.
#pragma once

#include <sys/auxv.h>

#include <cstdint>
#include <cstring>

#include "base/hash.h"

namespace cinnabar {

// From the 16 random bytes that the kernel gives every process at its start (getauxval(3), AT_RANDOM) and the
// address of the object: no system call, no state.
inline uint64_t HashSeedFor(const void* object) {
  uint64_t words[2] = {0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull};
  const auto* random = reinterpret_cast<const char*>(getauxval(AT_RANDOM));
  if (random != nullptr) std::memcpy(words, random, sizeof words);
  return hash_internal::Fold(words[0] ^ reinterpret_cast<uint64_t>(object), words[1] | 1);
}

}  // namespace cinnabar
