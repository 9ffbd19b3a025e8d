#include "persistence/append_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

namespace cinnabar::persistence {
namespace {

class Ears final : public AppendLog::Listener {
 public:
  void OnReleased(uint64_t offset) override {
    Note([&] { released_ = std::max(released_, offset); });
  }
  void OnFailed(const Error& error) override {
    Note([&] { failures_.push_back(error.code); });
  }
  void OnRecovered() override {
    Note([&] { ++recoveries_; });
  }

  void WaitForRelease(uint64_t offset) {
    WaitFor([&] { return released_ >= offset; });
  }
  template <typename Condition>
  void WaitFor(Condition&& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }
  int WaitForFailure() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !failures_.empty(); });
    return failures_.back();
  }

 private:
  template <typename Change>
  void Note(Change&& change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t released_ = 0;
  std::vector<int> failures_;
  int recoveries_ = 0;
};

class AppendLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "cinnabar_append_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  int Open(const std::string& name) {
    return open((directory_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  }
  std::string Read(const std::string& name) {
    std::ifstream file(directory_ + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  Ears ears_;
  std::string directory_;
};

TEST_F(AppendLogTest, AlwaysReleasesWhatIsOnDisk) {
  AppendLog log(ears_);
  log.SetPolicy(SyncPolicy::kAlways);
  log.Rotate(Open("one"), 0);
  log.Append(3, "abc");
  log.Append(5, "de");
  log.Kick();
  ears_.WaitForRelease(5);
  EXPECT_EQ(Read("one"), "abcde");
  EXPECT_EQ(log.durable(), 5u);
  EXPECT_EQ(log.file_bytes(), 5u);
}

TEST_F(AppendLogTest, ManyWritersShareSyncs) {
  constexpr int kThreads = 8, kRecords = 500;
  AppendLog log(ears_);
  log.SetPolicy(SyncPolicy::kAlways);
  log.Rotate(Open("one"), 0);
  std::mutex journal;
  uint64_t offset = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kRecords; ++j) {
        {
          std::lock_guard lock(journal);
          log.Append(++offset, "x");
        }
        log.Kick();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ears_.WaitForRelease(kThreads * kRecords);
  EXPECT_EQ(Read("one").size(), size_t{kThreads * kRecords});
  EXPECT_LT(log.sync_count(), uint64_t{kThreads * kRecords});
}

TEST_F(AppendLogTest, EverySecondWritesSoon) {
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  log.Append(3, "abc");
  EXPECT_TRUE(log.Flush(false));
  EXPECT_EQ(Read("one"), "abc");
  EXPECT_TRUE(log.Flush(true));
  EXPECT_EQ(log.durable(), 3u);
}

TEST_F(AppendLogTest, EverySecondKickWritesBeforeItReleases) {
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  EXPECT_TRUE(log.Flush(false));  // the file is open
  for (uint64_t offset = 1; offset <= 100; ++offset) {
    log.Append(offset, "x");
    log.Kick();
    ears_.WaitForRelease(offset);
    ASSERT_EQ(Read("one").size(), offset);
  }
}

TEST_F(AppendLogTest, ManyKickAndTheOrderStays) {
  constexpr int kThreads = 4, kRecords = 3000;
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  std::mutex journal;
  uint64_t offset = 0;
  std::string expected;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < kRecords; ++j) {
        {
          std::lock_guard lock(journal);
          const std::string record(1, static_cast<char>('a' + (i * 7 + j) % 26));
          expected += record;
          log.Append(++offset, record);
        }
        log.Kick();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ears_.WaitForRelease(offset);
  EXPECT_EQ(Read("one"), expected);
  EXPECT_EQ(log.pending_bytes(), 0u);
  EXPECT_EQ(log.file_bytes(), expected.size());
}

TEST_F(AppendLogTest, EverySecondSyncsByItself) {
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  log.Append(3, "abc");
  log.Kick();
  ears_.WaitFor([&] { return log.durable() == 3; });
}

// Only with `always` do replies wait for a disk that is full.
TEST_F(AppendLogTest, AFullDiskReleasesWhatIsInMemory) {
  AppendLog log(ears_);
  log.Rotate(open("/dev/full", O_WRONLY), 0);
  log.Append(3, "abc");
  log.Kick();
  EXPECT_EQ(ears_.WaitForFailure(), ENOSPC);
  ears_.WaitForRelease(3);
  log.Append(5, "de");
  log.Kick();
  ears_.WaitForRelease(5);
  EXPECT_EQ(log.written(), 0u);
}

TEST_F(AppendLogTest, RotationCutsAtTheOffset) {
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  log.Append(3, "abc");
  log.Rotate(Open("two"), 0);
  log.Append(5, "de");
  EXPECT_TRUE(log.Flush(true));
  EXPECT_EQ(Read("one"), "abc");
  EXPECT_EQ(Read("two"), "de");
  log.Close();
  log.Append(6, "f");
  EXPECT_TRUE(log.Flush(false));
  EXPECT_EQ(Read("two"), "de");
}

TEST_F(AppendLogTest, WhatIsPendingIsWrittenAtTheEnd) {
  {
    AppendLog log(ears_);
    log.Rotate(Open("one"), 0);
    log.Append(3, "abc");
  }
  EXPECT_EQ(Read("one"), "abc");
}

TEST_F(AppendLogTest, AFullDiskIsReportedAndNothingIsReleased) {
  AppendLog log(ears_);
  log.SetPolicy(SyncPolicy::kAlways);
  log.Rotate(open("/dev/full", O_WRONLY), 0);
  log.Append(3, "abc");
  log.Kick();
  EXPECT_EQ(ears_.WaitForFailure(), ENOSPC);
  EXPECT_FALSE(log.Flush(true));
  EXPECT_EQ(log.durable(), 0u);
}

// A file that cannot grow beyond a few bytes, until it may.
TEST_F(AppendLogTest, AFlushTriesAgainAtOnceWhenTheDiskHasRecovered) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  AppendLog log(ears_);
  log.Rotate(Open("one"), 0);
  const rlimit tiny{.rlim_cur = 4, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tiny), 0);
  log.Append(10, "0123456789");
  log.Kick();
  EXPECT_EQ(ears_.WaitForFailure(), EFBIG);
  EXPECT_FALSE(log.Flush(true));
  EXPECT_EQ(Read("one"), "");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(log.Flush(true));
  EXPECT_EQ(Read("one"), "0123456789");
}

// A pipe takes what is written and cannot be synced.
TEST_F(AppendLogTest, NothingCountsAsDurableAfterAFailedSyncUntilItIsElsewhere) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  AppendLog log(ears_);
  log.SetPolicy(SyncPolicy::kNo);
  log.Rotate(Open("one"), 0);
  log.Append(3, "abc");
  ASSERT_TRUE(log.Flush(true));
  log.Rotate(ends[1], 0);
  log.Append(5, "de");
  EXPECT_FALSE(log.Flush(true));
  EXPECT_TRUE(log.doubtful());
  EXPECT_EQ(log.durable(), 3u);
  const uint64_t failures = log.sync_failures();
  EXPECT_FALSE(log.Flush(true));
  log.TrustAgain(failures, 5);
  EXPECT_TRUE(log.doubtful()) << "one more sync has failed since";
  log.TrustAgain(log.sync_failures(), 5);
  EXPECT_FALSE(log.doubtful());
  EXPECT_EQ(log.durable(), 5u);
  close(ends[0]);
}

}  // namespace
}  // namespace cinnabar::persistence
