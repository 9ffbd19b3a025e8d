#include "keyspace/shard_lock.h"

namespace cinnabar::keyspace {

void ShardLock::LockSlow() {
  if (!SpinForIt()) SleepUntilMine(Patience::kUnlimited);
}

// Who has slept takes the lock as contended, since others may still sleep.
bool ShardLock::SleepUntilMine(Patience patience) {
  uint32_t seen = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (seen == kFree) {
      if (state_.compare_exchange_weak(seen, kContended, std::memory_order_acquire)) return true;
      continue;
    }
    if (seen == kLong && patience == Patience::kUnlessLong) {
      // The wake-up that brought the caller here may have been meant for anybody: pass it on.
      state_.notify_one();
      return false;
    }
    if (seen == kHeld && !state_.compare_exchange_weak(seen, kContended, std::memory_order_relaxed)) continue;
    state_.wait(seen == kLong ? kLong : kContended, std::memory_order_relaxed);
    seen = state_.load(std::memory_order_relaxed);
  }
}

void ShardLock::MarkLong() {
  if (state_.exchange(kLong, std::memory_order_relaxed) == kContended) state_.notify_all();
}

}  // namespace cinnabar::keyspace
