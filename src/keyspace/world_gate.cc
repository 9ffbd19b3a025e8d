#include "keyspace/world_gate.h"

namespace cinnabar::keyspace {

void WorldGate::EnterSlow(int core) {
  do {
    Leave(core);
    closed_.wait(1, std::memory_order_seq_cst);
    lanes_[core].inside.exchange(1, std::memory_order_seq_cst);
  } while (closed_.load(std::memory_order_seq_cst));
}

void WorldGate::Close(int core) {
  CHECK(!HeldByCaller());
  Leave(core);
  closer_.lock();
  closed_.store(1, std::memory_order_seq_cst);
  for (int other = 0; other < cores_; ++other) {
    while (lanes_[other].inside.load(std::memory_order_seq_cst) != 0) {
      lanes_[other].inside.wait(1, std::memory_order_seq_cst);
    }
  }
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

void WorldGate::Open(int core) {
  CHECK(HeldByCaller());
  holder_.store(std::thread::id(), std::memory_order_relaxed);
  closed_.store(0, std::memory_order_seq_cst);
  closed_.notify_all();
  closer_.unlock();
  Enter(core);
}

}  // namespace cinnabar::keyspace
