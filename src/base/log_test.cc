#include "base/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace cinnabar {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    std::string name = ::testing::TempDir() + "cinnabar_log_XXXXXX";
    directory_ = mkdtemp(name.data());
    path_ = directory_ / "server.log";
  }
  ~LogTest() override { std::filesystem::remove_all(directory_); }

  static std::string Read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
  std::filesystem::path path_;
};

TEST_F(LogTest, LinesLookLikeRedis) {
  Logger log;
  ASSERT_TRUE(log.SetFile(path_));
  log.SetRole('S');
  log.Notice("hello {}", 42);
  log.Warning("careful");
  const std::string text = Read(path_);
  EXPECT_TRUE(text.starts_with(std::to_string(getpid()) + ":S ")) << text;
  EXPECT_NE(text.find(" * hello 42\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" # careful\n"), std::string::npos) << text;
  const std::string stamp = text.substr(text.find(' ') + 1, 24);  // DD Mon YYYY HH:MM:SS.mmm
  EXPECT_EQ(stamp[2], ' ');
  EXPECT_EQ(stamp[6], ' ');
  EXPECT_EQ(stamp[14], ':');
  EXPECT_EQ(stamp[20], '.');
}

TEST_F(LogTest, LevelFilters) {
  Logger log;
  ASSERT_TRUE(log.SetFile(path_));
  log.Debug("a");
  log.Verbose("b");
  log.WriteRaw(LogLevel::kVerbose, "raw b\n");
  EXPECT_EQ(Read(path_), "");
  log.SetLevel(LogLevel::kDebug);
  log.Debug("a");
  EXPECT_NE(Read(path_).find(" . a\n"), std::string::npos);
  log.SetLevel(LogLevel::kNothing);
  const std::string before = Read(path_);
  log.Warning("c");
  log.Write(LogLevel::kNothing, "d");
  EXPECT_EQ(Read(path_), before);
}

TEST_F(LogTest, RawTextHasNoPrefix) {
  Logger log;
  ASSERT_TRUE(log.SetFile(path_));
  log.WriteRaw(LogLevel::kNotice, "banner\nof two lines\n");
  EXPECT_EQ(Read(path_), "banner\nof two lines\n");
}

TEST_F(LogTest, FollowsARotatedFile) {
  Logger log;
  ASSERT_TRUE(log.SetFile(path_));
  const int fd = log.fd();
  log.WriteRaw(LogLevel::kNotice, "one\n");
  std::filesystem::rename(path_, directory_ / "server.log.1");
  log.WriteRaw(LogLevel::kNotice, "two\n");
  EXPECT_EQ(Read(directory_ / "server.log.1"), "one\n");
  EXPECT_EQ(Read(path_), "two\n");
  EXPECT_EQ(log.fd(), fd);
}

TEST_F(LogTest, ARelativePathIsBoundAtOnce) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory_);
  Logger log;
  ASSERT_TRUE(log.SetFile("server.log"));
  std::filesystem::current_path(before);
  log.WriteRaw(LogLevel::kNotice, "x\n");
  EXPECT_EQ(Read(path_), "x\n");
}

TEST_F(LogTest, AnUnwritablePathIsAnError) {
  Logger log;
  const Status status = log.SetFile((directory_ / "missing" / "x.log").string());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ENOENT);
  EXPECT_EQ(log.fd(), 1);
}

TEST_F(LogTest, LinesOfThreadsDoNotMix) {
  Logger log;
  ASSERT_TRUE(log.SetFile(path_));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 200; ++i) log.Notice("{}", std::string(100, static_cast<char>('a' + t)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::ifstream file(path_);
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    const std::string message = line.substr(line.find(" * ") + 3);
    EXPECT_EQ(message, std::string(100, message[0]));
  }
  EXPECT_EQ(lines, 800);
}

TEST_F(LogTest, RawWriterFormats) {
  {
    Logger log;
    ASSERT_TRUE(log.SetFile(path_));
    RawWriter writer(log.fd());
    writer.Text("n=")
        .Number(-12)
        .Text(" ")
        .Number(INT64_MIN)
        .Text(" ")
        .Hex(0xbeef)
        .Text(" ")
        .Hex(0)
        .EndLine();
    writer.Text(std::string(2000, 'x'));
  }
  EXPECT_EQ(Read(path_), "n=-12 -9223372036854775808 0xbeef 0x0\n" + std::string(2000, 'x'));
}

}  // namespace
}  // namespace cinnabar
