// Gate: what happens to the processes of a machine passes through it. While it is closed (they are stopped,
// as by SIGSTOP) everything waits; when it opens, all of it happens at once, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

namespace cinnabar::simulator {

class Gate {
 public:
  using Event = std::function<void()>;

  bool closed() const { return closed_; }
  void Pass(Event event) {
    if (closed_) {
      waiting_.push_back(std::move(event));
    } else {
      event();
    }
  }
  void Close() { closed_ = true; }
  void Open() {
    closed_ = false;
    const uint64_t life = life_;
    std::deque<Event> waiting = std::exchange(waiting_, {});
    for (Event& event : waiting) {
      if (life != life_) return;
      event();
    }
  }
  // The processes are gone, and with them what has waited.
  void Reset() {
    ++life_;
    closed_ = false;
    waiting_.clear();
  }

 private:
  bool closed_ = false;
  uint64_t life_ = 0;
  std::deque<Event> waiting_;
};

}  // namespace cinnabar::simulator
