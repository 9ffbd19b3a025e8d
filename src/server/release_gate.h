// ReleaseGate: how far the journal is as safe as the settings ask, so that replies that tell of it may leave
// (DESIGN §6): on this server's disk, as appendfsync says, and on other servers, as
// min-replicas-to-acknowledge says. Replies wait for the lesser of the two.
//
// Any thread, unless said otherwise.
#pragma once

#include <atomic>
#include <cstdint>

#include "dispatch/services.h"
#include "server/core.h"

namespace cinnabar::server {

class ReleaseGate {
 public:
  // Both must outlive this.
  ReleaseGate(dispatch::Services& services, const Cores& cores) : services_(services), cores_(cores) {}

  // The disk, or replicas, have the journal up to here. An older answer than one before changes nothing.
  void OnDisk(uint64_t offset) { Raise(disk_, offset); }
  void OnReplicas(uint64_t offset) { Raise(replicas_, offset); }

  // With the world stopped.
  void WaitForReplicas(bool wait) {
    waits_for_replicas_ = wait;
    Release();
  }
  // The journal goes on at another offset, in another history.
  void Restart() { disk_ = replicas_ = services_.durability.released = 0; }

 private:
  void Raise(std::atomic<uint64_t>& figure, uint64_t offset);
  // Tells the cores whose replies, or whose clients, wait for what has been reached.
  void Release();

  dispatch::Services& services_;
  const Cores& cores_;
  std::atomic<bool> waits_for_replicas_{false};
  std::atomic<uint64_t> disk_{0};
  std::atomic<uint64_t> replicas_{0};
};

}  // namespace cinnabar::server
