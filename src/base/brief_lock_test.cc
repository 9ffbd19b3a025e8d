#include "base/brief_lock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace cinnabar {
namespace {

TEST(BriefLock, KeepsOthersOut) {
  BriefLock lock;
  int64_t count = 0;
  constexpr int kThreads = 4, kRounds = 50'000;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < kRounds; ++round) {
          std::lock_guard held(lock);
          ++count;
        }
      });
    }
  }
  EXPECT_EQ(count, int64_t{kThreads} * kRounds);
}

TEST(BriefLock, TryDoesNotWait) {
  BriefLock lock;
  ASSERT_TRUE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock());
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

// Long enough for the others to sleep: each unlock lets one of them go on, and none is forgotten.
TEST(BriefLock, WakesWhoSleeps) {
  BriefLock lock;
  std::atomic<int> inside{0};
  lock.lock();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::lock_guard held(lock);
      ++inside;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(inside, 0);
  lock.unlock();
  threads.clear();
  EXPECT_EQ(inside, 3);
}

}  // namespace
}  // namespace cinnabar
