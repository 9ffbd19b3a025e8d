// LinkLoop: the loop that waits for descriptors of the server's own connections, which are no client's: those
// of a sentinel, and of the cluster bus. Events are bits of net::Interest.
#pragma once

#include <functional>

#include "base/result.h"
#include "dispatch/services.h"
#include "server/core.h"

namespace cinnabar::server {

class LinkLoop {
 public:
  virtual ~LinkLoop() = default;
  // For kReadable. The handler must outlive its place here.
  virtual Status Add(int fd, ReadyHandler& handler) = 0;
  virtual void Change(int fd, ReadyHandler& handler, uint32_t events) = 0;
  virtual void Remove(int fd, ReadyHandler& handler) = 0;
  // Work for when whoever calls has returned.
  virtual void Soon(std::function<void()> work) = 0;
  // The same; also done while a command is in the middle and lets others go first.
  virtual void SoonInBetween(std::function<void()> work) = 0;
  // Whether a command is in the middle and has let others go first.
  virtual bool Interrupted() const = 0;
};

// The loop of core 0.
class CoreLoop final : public LinkLoop {
 public:
  // All must outlive this.
  CoreLoop(const dispatch::Services& services, const Cores& cores) : services_(services), cores_(cores) {}

  Status Add(int fd, ReadyHandler& handler) override;
  void Change(int fd, ReadyHandler& handler, uint32_t events) override;
  void Remove(int fd, ReadyHandler& handler) override;
  void Soon(std::function<void()> work) override;
  void SoonInBetween(std::function<void()> work) override;
  bool Interrupted() const override;

 private:
  const dispatch::Services& services_;
  const Cores& cores_;
};

}  // namespace cinnabar::server
