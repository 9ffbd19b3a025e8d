// ClientMemory: what all clients together take, for maxmemory-clients.
//
// Each core publishes the sum of its own clients' weights; the total is the sum over the cores. A weight is
// what CLIENT LIST calls tot-mem, as it was when the core last had to do with the client. Nothing is weighed
// while there is no limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "config/settings.h"

namespace cinnabar::server {

struct ClientWeight {
  uint64_t bytes = 0;
  bool evictable = true;
};

class ClientMemory {
 public:
  explicit ClientMemory(int cores) : shares_(new Share[static_cast<size_t>(cores)]), cores_(cores) {}

  // The limit that the settings ask for; 0: none. With the world stopped.
  void ApplyLimit(const config::Settings& settings);
  bool limited() const { return limit_ != 0; }
  uint64_t limit() const { return limit_; }

  // On the core's own thread, or with the world stopped.
  void Change(int core, const ClientWeight& before, const ClientWeight& after);
  // Whether somebody has to go, and may.
  bool Over() const;

  void CountEvicted() { evicted_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }
  void ResetStatistics() { evicted_ = 0; }

 private:
  // Written by one core.
  struct alignas(64) Share {
    std::atomic<uint64_t> bytes{0};
    std::atomic<uint64_t> evictable{0};  // of them, of clients that may be evicted
  };

  std::unique_ptr<Share[]> shares_;
  const int cores_;
  uint64_t limit_ = 0;
  std::atomic<uint64_t> evicted_{0};
};

}  // namespace cinnabar::server
