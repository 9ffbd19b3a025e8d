// ShardLock: the lock of one shard. It tries, spins briefly, then sleeps in the kernel; never pure spin,
// since a holder that lost its processor would cost the spinner a whole time slice (DESIGN §5). One per cache
// line.
//
// A holder that takes long says so (MarkLong): whoever has something else to do need not sleep then.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/check.h"

namespace cinnabar::keyspace {

class alignas(64) ShardLock {
 public:
  void Lock() {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) [[unlikely]] {
      LockSlow();
    }
    NoteOwner(std::this_thread::get_id());
  }
  // As Lock, but false, without the lock, when its holder takes long.
  bool LockUnlessLong() {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) [[unlikely]] {
      if (!SpinForIt() && !SleepUntilMine(Patience::kUnlessLong)) return false;
    }
    NoteOwner(std::this_thread::get_id());
    return true;
  }
  // As TryLock, after about a microsecond at most.
  bool TryBriefly() {
    if (TryLock()) return true;
    if (!SpinForIt()) return false;
    NoteOwner(std::this_thread::get_id());
    return true;
  }
  // REQUIRES: the caller holds the lock. Until Unlock.
  void MarkLong();
  bool TryLock() {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return false;
    NoteOwner(std::this_thread::get_id());
    return true;
  }
  void Unlock() {
    NoteOwner(std::thread::id());
    if (state_.exchange(kFree, std::memory_order_release) >= kContended) [[unlikely]] {
      state_.notify_one();
    }
  }

#ifndef NDEBUG
  bool HeldByCaller() const {
    return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
#endif

 private:
  // kContended: somebody sleeps. kLong: held for long, and somebody may sleep.
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2, kLong = 3;

  enum class Patience : uint8_t { kUnlimited, kUnlessLong };
  void LockSlow();
  bool SpinForIt();
  bool SleepUntilMine(Patience patience);
#ifndef NDEBUG
  void NoteOwner(std::thread::id id) {
    owner_.store(id, std::memory_order_relaxed);
  }
  std::atomic<std::thread::id> owner_{};
#else
  void NoteOwner(std::thread::id) {}
#endif
  std::atomic<uint32_t> state_{kFree};
};

}  // namespace cinnabar::keyspace
