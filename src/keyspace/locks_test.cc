// Stress of the shard locks and the world gate; it means most under ThreadSanitizer.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/shard_lock.h"
#include "keyspace/world_gate.h"

namespace cinnabar::keyspace {
namespace {

constexpr int kCores = 4;
constexpr int kRounds = 20000;

template <typename Work>
void OnCores(Work&& work) {
  std::vector<std::thread> threads;
  for (int core = 0; core < kCores; ++core) threads.emplace_back([&work, core] { work(core); });
  for (std::thread& thread : threads) thread.join();
}

TEST(ShardLock, KeepsOthersOut) {
  ShardLock lock;
  uint64_t plain = 0;  // not atomic: a hole in the lock loses counts, and the sanitizer sees it
  OnCores([&](int) {
    for (int i = 0; i < kRounds; ++i) {
      if (i % 3 == 0 && lock.TryLock()) {
        ++plain;
        lock.Unlock();
        continue;
      }
      lock.Lock();
      ++plain;
      lock.Unlock();
    }
  });
  EXPECT_EQ(plain, uint64_t{kCores} * kRounds);
}

TEST(ShardLock, WhoIsAskedToWaitLongMayGo) {
  ShardLock lock;
  lock.Lock();
  std::atomic<int> left{0};
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    // Whether they come before the mark or after it, asleep or not: all leave without the lock.
    others.emplace_back([&] {
      if (!lock.LockUnlessLong()) ++left;
    });
  }
  std::thread patient([&] {
    lock.Lock();
    lock.Unlock();
  });
  lock.MarkLong();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(left, 4);
  EXPECT_FALSE(lock.TryBriefly());
  lock.Unlock();
  patient.join();
  EXPECT_TRUE(lock.LockUnlessLong());
  lock.Unlock();
}

TEST(ShardLock, LongAndShortHoldersKeepOthersOut) {
  ShardLock lock;
  int counter = 0;
  std::atomic<int> left{0};
  std::vector<std::thread> threads;
  constexpr int kThreads = 4, kRounds = 3000;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int round = 0; round < kRounds; ++round) {
        if ((round + number) % 3 == 0) {
          lock.Lock();
        } else if (!lock.LockUnlessLong()) {
          ++left;
          continue;
        }
        if (round % 5 == 0) lock.MarkLong();
        ++counter;
        lock.Unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, kThreads * kRounds - left);
}

TEST(ShardLock, TryDoesNotWait) {
  ShardLock lock;
  lock.Lock();
  std::thread([&] { EXPECT_FALSE(lock.TryLock()); }).join();
  lock.Unlock();
  EXPECT_TRUE(lock.TryLock());
  lock.Unlock();
}

// Money moves between accounts under pairs of shard locks, taken in ascending order as dispatch does; now and
// then somebody stops the world and counts it all.
TEST(WorldGate, SeesNoHalfDoneWork) {
  constexpr size_t kAccounts = 8;
  constexpr int64_t kTotal = 8000;
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Keyspace keyspace(1, HashKey(seed), kCores);
  std::vector<int64_t> accounts(kAccounts, kTotal / kAccounts);
  std::atomic<int> audits{0};
  OnCores([&](int core) {
    Random random(seed + static_cast<uint64_t>(core));
    WorldGate& gate = keyspace.gate();
    for (int i = 0; i < kRounds / 4; ++i) {
      gate.Enter(core);
      for (int step = 0; step < 4; ++step) {
        if (random.OneIn(100)) {
          ASSERT_TRUE(gate.Close(core));
          int64_t sum = 0;
          for (int64_t account : accounts) sum += account;
          EXPECT_EQ(sum, kTotal);
          ++audits;
          gate.Open(core);
          continue;
        }
        size_t from = random.Uniform(kAccounts), to = random.Uniform(kAccounts);
        if (from == to) continue;
        keyspace.Lock(std::min(from, to));
        keyspace.Lock(std::max(from, to));
        accounts[from] -= 1;
        accounts[to] += 1;
        keyspace.Unlock(from);
        keyspace.Unlock(to);
      }
      gate.Leave(core);
    }
  });
  EXPECT_GT(audits, 0);
}

TEST(WorldGate, KnowsItsHolder) {
  WorldGate gate(2);
  gate.Enter(0);
  EXPECT_FALSE(gate.HeldByCaller());
  ASSERT_TRUE(gate.Close(0));
  EXPECT_TRUE(gate.HeldByCaller());
  std::thread([&] { EXPECT_FALSE(gate.HeldByCaller()); }).join();
  gate.Open(0);
  EXPECT_FALSE(gate.HeldByCaller());
  gate.Leave(0);
}

// Tables of a database come into being when it is first used, whoever is first.
TEST(Keyspace, TablesAppearOnce) {
  for (int round = 0; round < 20; ++round) {
    Keyspace keyspace(4, HashKey(1), kCores);
    std::vector<ShardTable*> seen(kCores);
    OnCores([&](int core) { seen[core] = &keyspace.table(round % 4, 5); });
    for (ShardTable* table : seen) EXPECT_EQ(table, seen[0]);
  }
}

}  // namespace
}  // namespace cinnabar::keyspace
