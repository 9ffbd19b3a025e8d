#include "server/worker.h"

#include "os/fork_shelter.h"

namespace cinnabar::server {

Worker::Worker(os::MemoryMeter& meter) : thread_(os::StartThread([this, &meter] { Run(meter); })) {}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Worker::Defer(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void Worker::Run(os::MemoryMeter& meter) {
  os::ThreadMemory memory(meter);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    {
      os::ForkShelter shelter;
      work();
      work = nullptr;
    }
    lock.lock();
  }
}

}  // namespace cinnabar::server
