// PayloadPipe: the bytes of a diskless snapshot on their way from the child that makes them to the feeds of
// the replicas that get them.
//
//   child -> pipe -> [core 0] OnReady -> `deliver`
//
// It reads no more as long as a replica has much of it to be sent: then the child waits in its write. Core
// 0's thread.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/shared_bytes.h"
#include "server/core.h"

namespace cinnabar::server {

class PayloadPipe final : public ReadyHandler {
 public:
  struct Hooks {
    std::function<void(SharedBytes)> deliver;
    // Whether all replicas have room for more.
    std::function<bool()> room;
  };
  PayloadPipe(const Cores& cores, Hooks hooks) : cores_(cores), hooks_(std::move(hooks)) {}
  ~PayloadPipe() override { Close(); }

  // Gives the end that the child writes to; close it behind the fork. REQUIRES: not open.
  Result<int> Open();
  // The fork has succeeded.
  Status Begin();
  // Delivers all that the child has left, which has ended.
  void Drain();
  void Close();
  bool open() const { return fd_ >= 0; }
  // There may be room again.
  void Resume();

  // ReadyHandler:
  void OnReady() override;

 private:
  // False when nothing is left at the moment, or for good.
  bool ReadSome();

  const Cores& cores_;
  const Hooks hooks_;
  int fd_ = -1;
  bool watched_ = false;
  bool paused_ = false;
};

}  // namespace cinnabar::server
