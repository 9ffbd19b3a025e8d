#include "telemetry/slow_log.h"

#include <gtest/gtest.h>

#include <thread>

namespace cinnabar::telemetry {
namespace {

void AddWords(SlowLog& log, const std::vector<std::string>& words) {
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  log.Add(1'700'000'000, 1234, arguments, "127.0.0.1:5000", "me");
}

TEST(SlowLog, KeepsTheNewestFirst) {
  SlowLog log(0, 3);
  for (const char* word : {"a", "b", "c", "d"}) AddWords(log, {word});
  ASSERT_EQ(log.Size(), 3u);
  const auto entries = log.Newest(2);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].arguments, std::vector<std::string>{"d"});
  EXPECT_EQ(entries[0].id, 3u);
  EXPECT_EQ(entries[1].arguments, std::vector<std::string>{"c"});
  EXPECT_EQ(entries[0].duration, 1234);
  EXPECT_EQ(entries[0].client_address, "127.0.0.1:5000");
  EXPECT_EQ(entries[0].client_name, "me");
  EXPECT_EQ(log.Newest(100).size(), 3u);
  log.SetEntriesMax(1);
  EXPECT_EQ(log.Size(), 1u);
  log.Reset();
  EXPECT_EQ(log.Size(), 0u);
  AddWords(log, {"e"});
  EXPECT_EQ(log.Newest(1)[0].id, 4u);
  log.SetEntriesMax(0);
  AddWords(log, {"f"});
  EXPECT_EQ(log.Size(), 0u);
}

TEST(SlowLog, Threshold) {
  SlowLog log(100, 3);
  EXPECT_FALSE(log.ShouldLog(99));
  EXPECT_TRUE(log.ShouldLog(100));
  log.SetThreshold(0);
  EXPECT_TRUE(log.ShouldLog(0));
  log.SetThreshold(SlowLog::kDisabled);
  EXPECT_FALSE(log.ShouldLog(1'000'000));
}

TEST(SlowLog, TrimsArguments) {
  SlowLog log;
  std::vector<std::string> words{"sadd", "set"};
  for (int i = 3; i <= 33; ++i) words.push_back(std::to_string(i));
  AddWords(log, words);
  auto arguments = log.Newest(1)[0].arguments;
  ASSERT_EQ(arguments.size(), 32u);
  EXPECT_EQ(arguments[30], "31");
  EXPECT_EQ(arguments[31], "... (2 more arguments)");

  words.pop_back();  // 32 are still kept
  AddWords(log, words);
  EXPECT_EQ(log.Newest(1)[0].arguments.back(), "32");

  AddWords(log, {"set", std::string(128, 'A'), std::string(129, 'A')});
  arguments = log.Newest(1)[0].arguments;
  EXPECT_EQ(arguments[1], std::string(128, 'A'));
  EXPECT_EQ(arguments[2], std::string(128, 'A') + "... (1 more bytes)");
}

TEST(SlowLog, ThreadsAddTogether) {
  SlowLog log(0, 10'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 500; ++i) AddWords(log, {"x"});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto entries = log.Newest(10'000);
  ASSERT_EQ(entries.size(), 2000u);
  for (size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(entries[i].id, 1999 - i);
}

}  // namespace
}  // namespace cinnabar::telemetry
