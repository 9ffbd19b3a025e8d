// Waiters: the commands that wait for a key, in the order of arrival (DESIGN §7).
//
// A waiter stands in the queue of each of its keys. Several cores may want to complete it at once: one that
// makes a key ready, its own core when the time is up, a CLIENT UNBLOCK. Take decides: a compare-and-swap
// that exactly one of them wins.
//
// Queues belong to the shard of their key. A waiter that is done may stay in the queues of its other keys
// until its own core has removed it: a core that meets it there skips it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/hash.h"

namespace cinnabar::keyspace {

class Waiter {
 public:
  virtual ~Waiter() = default;

  // Any thread. False when somebody has completed it, or is at it.
  bool Take() {
    State expected = State::kWaiting;
    return state_.compare_exchange_strong(expected, State::kTaken, std::memory_order_acq_rel);
  }
  // As Take, but lets somebody who is at it finish first: false means that it is done.
  bool TakeOrWaitUntilDone() {
    while (!Take()) {
      if (done()) return false;
      std::this_thread::yield();
    }
    return true;
  }
  // By the core that has taken it.
  void GiveBack() { state_.store(State::kWaiting, std::memory_order_release); }
  void Finish() { state_.store(State::kDone, std::memory_order_release); }
  // Whether nobody has taken it.
  bool idle() const { return state_.load(std::memory_order_acquire) == State::kWaiting; }
  bool done() const { return state_.load(std::memory_order_acquire) == State::kDone; }

 private:
  enum class State : uint8_t { kWaiting, kTaken, kDone };
  std::atomic<State> state_{State::kWaiting};
};

using WaitQueue = std::deque<std::shared_ptr<Waiter>>;
// By key, in one shard of one database.
using WaitQueues = std::unordered_map<std::string, WaitQueue, HashOfName, std::equal_to<>>;

}  // namespace cinnabar::keyspace
