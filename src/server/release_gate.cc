#include "server/release_gate.h"

#include <algorithm>

namespace cinnabar::server {
namespace {

void RaiseTo(std::atomic<uint64_t>& figure, uint64_t least) {
  uint64_t now = figure.load();
  while (now < least && !figure.compare_exchange_weak(now, least)) {
  }
}

}  // namespace

void ReleaseGate::Raise(std::atomic<uint64_t>& figure, uint64_t offset) {
  RaiseTo(figure, offset);
  Release();
}

// Each side raises its own figure before it reads the other's: the later of two sees both.
void ReleaseGate::Release() {
  const uint64_t disk = disk_.load();
  RaiseTo(services_.durability.released,
          waits_for_replicas_.load() ? std::min(disk, replicas_.load()) : disk);
  for (auto& core : cores_) {
    if (core->holds_replies()) core->Post([target = core.get()] { target->FlushHeld(); });
  }
  // A client that begins to wait after this sees the new offset by itself (BlockedCalls::Block).
  if (services_.durability.copy_waiters.fetch_add(0) == 0) return;
  for (auto& core : cores_) {
    core->Post([target = core.get()] { target->dispatcher().blocked().ServeCopyWaiters(); });
  }
}

}  // namespace cinnabar::server
