// WorldGate: lets one core run alone. Every core marks on its own cache line that it is inside a batch;
// the core that closes the gate keeps newcomers out and waits until the others have stepped out. Cost: one
// exchange per batch for everybody, O(cores) for the closer (DESIGN §5; the figures are in
// docs/design/locks.md).
//
// While the gate is closed nothing else runs: its holder needs no shard lock and may read and write the state
// of every core. A core never closes the gate while it holds a shard.
//
// A script may run for ever, and somebody has to be able to stop it. So a core that is in the middle of one
// says that it stays inside (Stay): who wants to close the gate is turned away then. And a holder may lend
// the gate: the others step in as before, nobody else may close it, and what they must not touch is locked by
// other means.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "base/check.h"

namespace cinnabar::keyspace {

class WorldGate {
 public:
  explicit WorldGate(int cores) : cores_(cores), lanes_(std::make_unique<Lane[]>(cores)) {}

  // Around a batch of core `core`.
  void Enter(int core) {
    if (cores_ == 1) return;
    lanes_[core].inside.exchange(kInside, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst)) [[unlikely]]
      EnterSlow(core);
  }
  void Leave(int core) {
    if (cores_ == 1) return;
    lanes_[core].inside.store(kOutside, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst)) [[unlikely]]
      lanes_[core].inside.notify_all();
  }

  // Steps out of the batch of `core`, which must be inside one, until Open. False, and the core is inside
  // again, when a core stays inside or the gate is lent: nothing can be said about how long.
  [[nodiscard]] bool Close(int core);
  void Open(int core);
  // Whether the calling thread has closed the gate. True for the holder while it is lent.
  bool HeldByCaller() const { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  int cores() const { return cores_; }

  // The core, which is inside a batch, will not leave it for a long time.
  void Stay(int core);
  // It will leave as usual.
  void StayNoLonger(int core);

  // REQUIRES: HeldByCaller(). Others go on inside their batches; nobody else can close the gate.
  void Lend();
  // REQUIRES: it is lent by the caller. Waits until the others have stepped out.
  void TakeBack(int core);

 private:
  static constexpr uint32_t kOutside = 0, kInside = 1, kStays = 2;
  static constexpr uint32_t kFree = 0, kTaken = 1, kLent = 2;
  struct alignas(64) Lane {
    std::atomic<uint32_t> inside{kOutside};
  };
  void EnterSlow(int core);
  bool TakeTurn();
  void EndTurn();
  bool WaitForOthers();

  const int cores_;
  std::unique_ptr<Lane[]> lanes_;
  alignas(64) std::atomic<uint32_t> closed_{0};
  std::atomic<std::thread::id> holder_{};
  std::atomic<uint32_t> turn_{kFree};  // of those who want to close it
};

}  // namespace cinnabar::keyspace
