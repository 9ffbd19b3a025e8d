// Reactor: waits for sockets. A small interface with epoll behind it; another backend can take its place.
//
// Level-triggered. One per core thread; everything is the owner's except Ready and Wake, which any thread may
// call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace cinnabar::net {

enum Interest : uint32_t { kReadable = 1, kWritable = 2 };
// Only in events: the peer is gone, or has said that it will send nothing more.
constexpr uint32_t kHungUp = 4;

struct Event {
  void* token;     // as given to Add
  uint32_t ready;  // Interest bits, of which an error or hang-up sets both, and kHungUp
};

class Reactor {
 public:
  virtual ~Reactor() = default;
  virtual Status Add(int fd, uint32_t interest, void* token) = 0;
  virtual void Change(int fd, uint32_t interest, void* token) = 0;
  virtual void Remove(int fd) = 0;
  // Waits until something is ready, Wake is called, or the time is over (< 0: no limit). Puts the events into
  // `room` and returns them.
  virtual std::span<Event> Wait(int timeout_millis, std::span<Event> room) = 0;
  // Whether Wait would return at once, for an event or for Wake. Takes nothing away. Any thread.
  virtual bool Ready() const = 0;
  // Makes the owner's Wait return soon. Any thread; cheap when it was called already.
  virtual void Wake() = 0;
};

Result<std::unique_ptr<Reactor>> MakeEpollReactor();

}  // namespace cinnabar::net
