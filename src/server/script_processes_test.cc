#include "server/script_processes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "os/temporary_directory_for_test.h"

namespace cinnabar::server {
namespace {

class ScriptProcessesTest : public ::testing::Test {
 protected:
  ScriptProcessesTest() { log_.SetLevel(LogLevel::kNothing); }

  pid_t StartShell(uint64_t number, const std::string& program, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"-c", program};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result<pid_t> process = scripts_.Start(number, "/bin/sh", arguments);
    EXPECT_TRUE(process.has_value());
    EXPECT_GT(process.value_or(0), 0);
    return process.value_or(0);
  }
  // Waits for a process, which remains to be taken.
  static void Await(pid_t process) {
    siginfo_t facts{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(process), &facts, WEXITED | WNOWAIT), 0);
  }
  ScriptProcesses::Ended TakeOne() {
    const auto ended = scripts_.TakeEnded();
    EXPECT_EQ(ended.size(), 1u);
    return ended.empty() ? ScriptProcesses::Ended{} : ended.front();
  }

  Logger log_;
  ScriptProcesses scripts_{log_};
  os::TemporaryDirectory directory_;
};

TEST_F(ScriptProcessesTest, TellsTheExitCode) {
  const pid_t process = StartShell(7, "exit 3");
  EXPECT_EQ(scripts_.running(), 1u);
  Await(process);
  const auto ended = TakeOne();
  EXPECT_EQ(ended.number, 7u);
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_EQ(scripts_.running(), 0u);
  EXPECT_TRUE(scripts_.TakeEnded().empty());
}

TEST_F(ScriptProcessesTest, NobodyWaitsForOneThatRuns) {
  const pid_t lasting = StartShell(1, "exec sleep 1000");
  const pid_t brief = StartShell(2, "exit 0");
  Await(brief);
  EXPECT_EQ(TakeOne().number, 2u);
  EXPECT_EQ(scripts_.running(), 1u);
  scripts_.Kill(1);
  Await(lasting);
  const auto ended = TakeOne();
  EXPECT_EQ(ended.number, 1u);
  EXPECT_FALSE(ended.exit_code.has_value());
  EXPECT_EQ(ended.signal, SIGKILL);
  scripts_.Kill(1);
}

TEST_F(ScriptProcessesTest, PassesArgumentsAndEnvironment) {
  setenv("CINNABAR_TEST_WORD", "word", 1);
  const pid_t process = StartShell(1,
                                   R"([ "$0" = name ] && [ "$1" = "a b" ] && [ "$2" = "" ] && [ $# = 2 ] && )"
                                   R"([ "$CINNABAR_TEST_WORD" = word ])",
                                   {"name", "a b", ""});
  Await(process);
  EXPECT_EQ(TakeOne().exit_code, 0);
  unsetenv("CINNABAR_TEST_WORD");
}

TEST_F(ScriptProcessesTest, WhatCannotBeExecutedEndsWithTwo) {
  directory_.Write("no-program", "text");
  for (const std::string& path :
       {directory_.Path("missing"), directory_.Path("no-program"), directory_.Path()}) {
    const Result<pid_t> process = scripts_.Start(5, path, {});
    ASSERT_TRUE(process.has_value()) << path;
    EXPECT_EQ(*process, 0);
    const auto ended = TakeOne();
    EXPECT_EQ(ended.number, 5u);
    EXPECT_EQ(ended.exit_code, 2);
  }
  // Executable, but of no form that the system knows.
  ASSERT_EQ(chmod(directory_.Path("no-program").c_str(), 0700), 0);
  ASSERT_TRUE(scripts_.Start(6, directory_.Path("no-program"), {}).has_value());
  EXPECT_EQ(TakeOne().exit_code, 2);
}

TEST_F(ScriptProcessesTest, KillReachesWhatTheScriptHasStarted) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
  const pid_t process = StartShell(1, "sleep 1000 & echo started >&" + std::to_string(ends[1]) + "; wait");
  close(ends[1]);
  char text[8];
  ASSERT_EQ(read(ends[0], text, sizeof text), 8);  // "started\n"
  scripts_.Kill(1);
  // All that held the other end are gone.
  EXPECT_EQ(read(ends[0], text, sizeof text), 0);
  close(ends[0]);
  Await(process);
  EXPECT_EQ(TakeOne().signal, SIGKILL);
}

TEST_F(ScriptProcessesTest, SignalsThatWeIgnoreOrBlockAreAsUsual) {
  const auto before = signal(SIGHUP, SIG_IGN);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  const pid_t process = StartShell(1, "kill -HUP $$; exit 0");
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  signal(SIGHUP, before);
  Await(process);
  EXPECT_EQ(TakeOne().signal, SIGHUP);
}

TEST_F(ScriptProcessesTest, DescriptorsOfTheServerStayOutside) {
  const int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GT(kept, 2);
  const pid_t process = StartShell(1, "test ! -e /proc/self/fd/" + std::to_string(kept));
  Await(process);
  EXPECT_EQ(TakeOne().exit_code, 0);
  close(kept);
}

}  // namespace
}  // namespace cinnabar::server
