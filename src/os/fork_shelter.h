// ForkShelter: keeps fork(2) away from threads that allocate.
//
// The allocators of release builds look after their own locks when a process forks. That of
// AddressSanitizer in GCC 12 does not: a child that is made while another thread allocates finds a lock taken
// for ever and hangs at its first allocation. In such builds a thread that works beside the one that forks
// holds a ForkShelter meanwhile; in all others it does nothing. A thread that is being born allocates as
// well, so such threads are started with StartThread.
#pragma once

#include <latch>
#include <memory>
#include <thread>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <shared_mutex>
#endif

namespace cinnabar::os {

#ifdef __SANITIZE_ADDRESS__
using ForkMutex = std::shared_mutex;
#else
struct ForkMutex {
  void lock() {}
  void unlock() {}
  void lock_shared() {}
  void unlock_shared() {}
};
#endif

inline ForkMutex& TheForkMutex() {
  static ForkMutex mutex;
  return mutex;
}

// One thread's, which may leave it for a while.
class ForkShelter {
 public:
  ForkShelter() { Enter(); }
  ~ForkShelter() { Leave(); }
  ForkShelter(const ForkShelter&) = delete;
  ForkShelter& operator=(const ForkShelter&) = delete;
  void Enter() { TheForkMutex().lock_shared(); }
  void Leave() { TheForkMutex().unlock_shared(); }
};

// Held while the process forks: waits until no shelter is held.
class ForkGuard {
 public:
  ForkGuard() { TheForkMutex().lock(); }
  ~ForkGuard() { TheForkMutex().unlock(); }
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;
};

// Returns when the thread runs.
template <typename Work>
std::thread StartThread(Work work) {
  const auto runs = std::make_shared<std::latch>(1);
  std::thread thread([runs, work = std::move(work)]() mutable {
    runs->count_down();
    work();
  });
  runs->wait();
  return thread;
}

}  // namespace cinnabar::os
