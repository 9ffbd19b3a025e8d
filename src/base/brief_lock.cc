#include "base/brief_lock.h"

#include <immintrin.h>

namespace cinnabar {

bool BriefLock::SpinForIt() {
  constexpr int kSpins = 100;  // about a microsecond: longer than what such locks are held for
  for (int i = 0; i < kSpins; ++i) {
    if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) return true;
    _mm_pause();
  }
  return false;
}

// Who has slept takes the lock as contended, since others may still sleep.
void BriefLock::LockSlow() {
  if (SpinForIt()) return;
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    state_.wait(kContended, std::memory_order_relaxed);
  }
}

}  // namespace cinnabar
