// Worker: a thread for work that nobody waits for, such as freeing a large data set.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "os/allocator.h"

namespace cinnabar::server {

class Worker {
 public:
  explicit Worker(os::MemoryMeter& meter);
  // Finishes what was deferred.
  ~Worker();
  void Defer(std::function<void()> work);

 private:
  void Run(os::MemoryMeter& meter);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace cinnabar::server
