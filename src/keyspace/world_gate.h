// WorldGate: lets one core run alone. Every core marks on its own cache line that it is inside a batch;
// the core that closes the gate keeps newcomers out and waits until the others have stepped out. Cost: one
// exchange per batch for everybody, O(cores) for the closer (DESIGN §5; the figures are in
// docs/design/locks.md).
//
// While the gate is closed nothing else runs: its holder needs no shard lock and may read and write the state
// of every core. A core never closes the gate while it holds a shard.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "base/check.h"

namespace cinnabar::keyspace {

class WorldGate {
 public:
  explicit WorldGate(int cores) : cores_(cores), lanes_(std::make_unique<Lane[]>(cores)) {}

  // Around a batch of core `core`.
  void Enter(int core) {
    if (cores_ == 1) return;
    lanes_[core].inside.exchange(1, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst)) [[unlikely]]
      EnterSlow(core);
  }
  void Leave(int core) {
    if (cores_ == 1) return;
    lanes_[core].inside.store(0, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst)) [[unlikely]]
      lanes_[core].inside.notify_all();
  }

  // REQUIRES: `core` is inside a batch. Steps out of it until Open.
  void Close(int core);
  void Open(int core);
  // Whether the calling thread has closed the gate.
  bool HeldByCaller() const { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  int cores() const { return cores_; }

 private:
  struct alignas(64) Lane {
    std::atomic<uint32_t> inside{0};
  };
  void EnterSlow(int core);

  const int cores_;
  std::unique_ptr<Lane[]> lanes_;
  alignas(64) std::atomic<uint32_t> closed_{0};
  std::atomic<std::thread::id> holder_{};
  std::mutex closer_;
};

}  // namespace cinnabar::keyspace
