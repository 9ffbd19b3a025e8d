// A counter that one thread adds to and any thread reads. Adding costs a load and a store, no locked
// instruction; a reader sees a value that was true a moment ago.
#pragma once

#include <atomic>
#include <cstdint>

namespace cinnabar::telemetry {

class Counter {
 public:
  void Add(uint64_t amount = 1) { value_.store(Get() + amount, std::memory_order_relaxed); }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace cinnabar::telemetry
