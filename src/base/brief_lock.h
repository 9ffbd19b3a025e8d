// BriefLock: a mutex for a few instructions at a time, taken and left without a call. It tries, spins
// briefly, then sleeps in the kernel (U. Drepper, Futexes Are Tricky, 2011, the second mutex there); never
// pure spin, since a holder that lost its processor would cost the spinner a whole time slice. Works with
// std::lock_guard.
#pragma once

#include <atomic>
#include <cstdint>

namespace cinnabar {

class BriefLock {
 public:
  void lock() {
    if (!try_lock()) [[unlikely]]
      LockSlow();
  }
  bool try_lock() {
    uint32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire);
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) >= kContended) [[unlikely]]
      state_.notify_one();
  }

 protected:
  // kContended and what is above it: somebody may sleep.
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;

  // Tries for about a microsecond.
  bool SpinForIt();

  std::atomic<uint32_t> state_{kFree};

 private:
  void LockSlow();
};

}  // namespace cinnabar
