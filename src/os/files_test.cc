#include "os/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "os/daemon.h"
#include "os/temporary_directory_for_test.h"

namespace cinnabar::os {
namespace {

TEST(Files, ReadsWhatWasWritten) {
  TemporaryDirectory directory;
  const std::string bytes = std::string(100'000, 'x') + '\0' + "end";
  ASSERT_TRUE(AtomicWriteFile(directory.Path("a"), bytes, 0600));
  EXPECT_EQ(*ReadWholeFile(directory.Path("a")), bytes);
  struct stat file;
  ASSERT_EQ(stat(directory.Path("a").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  ASSERT_TRUE(AtomicWriteFile(directory.Path("a"), ""));
  EXPECT_EQ(*ReadWholeFile(directory.Path("a")), "");
  EXPECT_FALSE(ReadWholeFile("/proc/self/status")->empty());
}

TEST(Files, TheUmaskHolds) {
  TemporaryDirectory directory;
  const mode_t before = umask(0077);
  const Status written = AtomicWriteFile(directory.Path("a"), "x");
  umask(before);
  ASSERT_TRUE(written);
  struct stat file;
  ASSERT_EQ(stat(directory.Path("a").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST(Files, FailuresLeaveNothingBehind) {
  TemporaryDirectory directory;
  EXPECT_EQ(ReadWholeFile(directory.Path("missing")).error().code, ENOENT);
  EXPECT_EQ(AtomicWriteFile(directory.Path("no/such/file"), "x").error().code, ENOENT);
  std::filesystem::create_directories(directory.Path("target/inside"));
  EXPECT_FALSE(AtomicWriteFile(directory.Path("target"), "x"));  // a directory cannot be replaced
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.Path())) ++entries;
  EXPECT_EQ(entries, 1u);
}

TEST(Files, ReadsNoMoreThanAllowed) {
  TemporaryDirectory directory;
  directory.Write("a", "12345");
  EXPECT_TRUE(ReadWholeFile(directory.Path("a"), 5));
  EXPECT_EQ(ReadWholeFile(directory.Path("a"), 4).error().code, EFBIG);
}

TEST(PidFile, LivesAsLongAsTheObject) {
  TemporaryDirectory directory;
  {
    PidFile file;
    ASSERT_TRUE(file.Create(directory.Path("pid")));
    EXPECT_EQ(directory.Read("pid"), std::to_string(getpid()) + "\n");
    const pid_t child = fork();
    if (child == 0) {
      file.Remove();  // not the child's
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    EXPECT_TRUE(std::filesystem::exists(directory.Path("pid")));
  }
  EXPECT_FALSE(std::filesystem::exists(directory.Path("pid")));
}

TEST(PidFile, ABadPathIsAnErrorOnly) {
  PidFile file;
  EXPECT_FALSE(file.Create("/proc/no/such/place"));
}

TEST(Daemonize, ContinuesInAChildWithItsOwnSession) {
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  if (child == 0) {
    const pid_t before = getpid();
    const bool ok = Daemonize().has_value() && getpid() != before && getsid(0) == getpid();
    [[maybe_unused]] const ssize_t ignored = write(channel[1], ok ? "y" : "n", 1);
    _exit(0);
  }
  close(channel[1]);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  char answer = '?';
  EXPECT_EQ(read(channel[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  close(channel[0]);
}

}  // namespace
}  // namespace cinnabar::os
