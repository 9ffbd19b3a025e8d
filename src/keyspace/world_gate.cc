#include "keyspace/world_gate.h"

namespace cinnabar::keyspace {

void WorldGate::EnterSlow(int core) {
  do {
    Leave(core);
    closed_.wait(1, std::memory_order_seq_cst);
    lanes_[core].inside.exchange(kInside, std::memory_order_seq_cst);
  } while (closed_.load(std::memory_order_seq_cst));
}

// One closes it at a time.
bool WorldGate::TakeTurn() {
  uint32_t seen = kFree;
  while (!turn_.compare_exchange_weak(seen, kTaken, std::memory_order_seq_cst)) {
    if (seen == kLent) return false;
    if (seen == kTaken) turn_.wait(kTaken, std::memory_order_seq_cst);
    seen = kFree;
  }
  return true;
}

void WorldGate::EndTurn() {
  turn_.store(kFree, std::memory_order_seq_cst);
  turn_.notify_all();
}

bool WorldGate::WaitForOthers() {
  for (int other = 0; other < cores_; ++other) {
    std::atomic<uint32_t>& inside = lanes_[other].inside;
    while (true) {
      const uint32_t seen = inside.load(std::memory_order_seq_cst);
      if (seen == kOutside) break;
      if (seen == kStays) return false;
      inside.wait(seen, std::memory_order_seq_cst);
    }
  }
  return true;
}

bool WorldGate::Close(int core) {
  CHECK(!HeldByCaller());
  Leave(core);
  if (!TakeTurn()) {
    Enter(core);
    return false;
  }
  closed_.store(1, std::memory_order_seq_cst);
  if (!WaitForOthers()) {
    closed_.store(0, std::memory_order_seq_cst);
    closed_.notify_all();
    EndTurn();
    Enter(core);
    return false;
  }
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return true;
}

void WorldGate::Open(int core) {
  CHECK(HeldByCaller());
  holder_.store(std::thread::id(), std::memory_order_relaxed);
  closed_.store(0, std::memory_order_seq_cst);
  closed_.notify_all();
  EndTurn();
  Enter(core);
}

void WorldGate::Stay(int core) {
  if (cores_ == 1) return;
  lanes_[core].inside.store(kStays, std::memory_order_seq_cst);
  lanes_[core].inside.notify_all();
}

void WorldGate::StayNoLonger(int core) {
  if (cores_ == 1) return;
  lanes_[core].inside.store(kInside, std::memory_order_seq_cst);
}

void WorldGate::Lend() {
  CHECK(HeldByCaller());
  turn_.store(kLent, std::memory_order_seq_cst);
  turn_.notify_all();
  closed_.store(0, std::memory_order_seq_cst);
  closed_.notify_all();
}

// The lender's own lane says that it is outside, as that of every holder does.
void WorldGate::TakeBack(int /*core*/) {
  CHECK(HeldByCaller());
  closed_.store(1, std::memory_order_seq_cst);
  const bool all_out = WaitForOthers();
  CHECK(all_out);  // who stays inside has shards, and those are the lender's
  turn_.store(kTaken, std::memory_order_seq_cst);
  turn_.notify_all();
}

}  // namespace cinnabar::keyspace
