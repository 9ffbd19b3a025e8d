// Virtual time: what happens, in order of its time and, at the same time, in the order in which it was
// planned. The clock jumps from one event to the next. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace cinnabar::simulator {

class EventQueue {
 public:
  using Event = std::function<void()>;

  Millis now() const { return now_; }
  void After(Millis delay, Event event) { events_.push({now_ + delay, ++planned_, std::move(event)}); }

  // Runs everything up to `time`, which is then the time.
  void RunUntil(Millis time) {
    while (!events_.empty() && events_.top().time <= time) {
      // The queue gives out constant elements only; this one goes at once.
      Planned next = std::move(const_cast<Planned&>(events_.top()));
      events_.pop();
      now_ = next.time;
      next.event();
    }
    now_ = time;
  }

 private:
  struct Planned {
    Millis time;
    uint64_t number;
    Event event;
    bool operator<(const Planned& other) const {
      return std::pair(time, number) > std::pair(other.time, other.number);
    }
  };

  std::priority_queue<Planned> events_;
  Millis now_ = 1'000'000;
  uint64_t planned_ = 0;
};

}  // namespace cinnabar::simulator
