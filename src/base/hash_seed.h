// Tweaks for the hash tables of large collections: another for each object that lives.
#pragma once

#include <cstdint>

namespace cinnabar {

// Elements that are read from one table in its order and put into another must not meet in the same buckets
// there. The secret is the process's (base/hash.h).
inline uint64_t HashSeedFor(const void* object) {
  return reinterpret_cast<uint64_t>(object);
}

}  // namespace cinnabar
