// ShardLock: the lock of one shard, a BriefLock (DESIGN §5). Keyspace puts each in a cache line of its own.
//
// A holder that takes long says so (MarkLong): a core that has something else to do need not sleep then.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/brief_lock.h"

namespace cinnabar::keyspace {

class ShardLock : private BriefLock {
 public:
  void Lock() {
    if (!try_lock()) [[unlikely]]
      LockSlow();
    NoteOwner(std::this_thread::get_id());
  }
  // As Lock, but false, without the lock, when its holder takes long.
  bool LockUnlessLong() {
    if (!try_lock() && !SpinForIt() && !SleepUntilMine(Patience::kUnlessLong)) return false;
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
    if (!try_lock()) return false;
    NoteOwner(std::this_thread::get_id());
    return true;
  }
  void Unlock() {
    NoteOwner(std::thread::id());
    unlock();
  }

#ifndef NDEBUG
  bool HeldByCaller() const {
    return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
#endif

 private:
  // Held for long, and somebody may sleep.
  static constexpr uint32_t kLong = kContended + 1;

  enum class Patience : uint8_t { kUnlimited, kUnlessLong };
  void LockSlow();
  bool SleepUntilMine(Patience patience);
#ifndef NDEBUG
  void NoteOwner(std::thread::id id) {
    owner_.store(id, std::memory_order_relaxed);
  }
  std::atomic<std::thread::id> owner_{};
#else
  void NoteOwner(std::thread::id) {}
#endif
};

}  // namespace cinnabar::keyspace
