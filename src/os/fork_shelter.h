// ForkShelter: keeps fork(2) away from threads that allocate.
//
// The allocators of release builds look after their own locks when a process forks. That of
// AddressSanitizer in GCC 12 does not: a child that is made while another thread allocates finds a lock taken
// for ever and hangs at its first allocation. In such builds whoever works beside the thread that forks holds
// a ForkShelter meanwhile; in all others it is nothing.
#pragma once

#ifdef __SANITIZE_ADDRESS__
#include <shared_mutex>
#endif

namespace cinnabar::os {

#ifdef __SANITIZE_ADDRESS__
inline std::shared_mutex& ForkMutex() {
  static std::shared_mutex mutex;
  return mutex;
}

// One thread's. Movable by nobody; the owner may leave it for a while.
class ForkShelter {
 public:
  ForkShelter() { Enter(); }
  ~ForkShelter() { Leave(); }
  ForkShelter(const ForkShelter&) = delete;
  ForkShelter& operator=(const ForkShelter&) = delete;
  void Enter() { ForkMutex().lock_shared(); }
  void Leave() { ForkMutex().unlock_shared(); }
};

// Held while the process forks: waits until no shelter is held.
class ForkGuard {
 public:
  ForkGuard() { ForkMutex().lock(); }
  ~ForkGuard() { ForkMutex().unlock(); }
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;
};
#else
class ForkShelter {
 public:
  ForkShelter() {}
  ~ForkShelter() {}
  ForkShelter(const ForkShelter&) = delete;
  ForkShelter& operator=(const ForkShelter&) = delete;
  void Enter() {}
  void Leave() {}
};

class ForkGuard {
 public:
  ForkGuard() {}
  ~ForkGuard() {}
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;
};
#endif

}  // namespace cinnabar::os
