#include "keyspace/shard_lock.h"

#include <immintrin.h>

namespace cinnabar::keyspace {

void ShardLock::LockSlow() {
  constexpr int kSpins = 100;  // about a microsecond: longer than most commands hold a shard
  for (int i = 0; i < kSpins; ++i) {
    uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire)) {
      return;
    }
    _mm_pause();
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    state_.wait(kContended, std::memory_order_relaxed);
  }
}

}  // namespace cinnabar::keyspace
