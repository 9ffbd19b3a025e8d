#include "os/crash_report.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/check.h"
#include "os/temporary_directory_for_test.h"
#include "os/watchdog.h"

namespace cinnabar::os {
namespace {

using OnCheckFailure = CrashReportOptions::OnCheckFailure;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizerOwnsSignals = true;
#else
constexpr bool kSanitizerOwnsSignals = false;
#endif

// Runs `body` in a child that logs to a file; the child's status and what it logged.
struct Ending {
  int status = 0;
  std::string log;
};

template <typename Body>
Ending RunChild(Body body) {
  TemporaryDirectory directory;
  const pid_t child = fork();
  if (child == 0) {
    Logger log;
    if (!log.SetFile(directory.Path("log"))) _exit(99);
    body(log);
    _exit(98);
  }
  Ending ending;
  waitpid(child, &ending.status, 0);
  ending.log = directory.Read("log");
  return ending;
}

bool Killed(const Ending& ending, int signal) {
  return WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == signal;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void ExpectOneReport(const Ending& ending) {
  EXPECT_EQ(Count(ending.log, "=== REDIS BUG REPORT START"), 1u) << ending.log;
  EXPECT_EQ(Count(ending.log, "STACK TRACE"), 1u) << ending.log;
  EXPECT_EQ(Count(ending.log, "=== REDIS BUG REPORT END"), 1u) << ending.log;
}

TEST(CrashReport, SaysWhatHappened) {
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    const Ending ending = RunChild([signal](Logger& log) {
      CrashReport report(log);
      raise(signal);
    });
    EXPECT_TRUE(Killed(ending, signal)) << signal << " " << ending.status;
    ExpectOneReport(ending);
    EXPECT_EQ(Count(ending.log, "crashed by signal: " + std::to_string(signal) + ","), 1u) << ending.log;
    EXPECT_EQ(Count(ending.log, "Killed by PID: "), 1u);
  }
}

[[gnu::noinline, gnu::no_sanitize("address", "undefined", "thread")]] void WriteToBadAddress() {
  volatile uintptr_t address = 0x1230;
  *reinterpret_cast<volatile int*>(address) = 1;
}

TEST(CrashReport, NamesTheAddress) {
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log);
    AlternateSignalStack stack;
    WriteToBadAddress();
  });
  EXPECT_TRUE(Killed(ending, SIGSEGV)) << ending.status;
  ExpectOneReport(ending);
  EXPECT_EQ(Count(ending.log, "Accessing address: 0x1230\n"), 1u) << ending.log;
  EXPECT_EQ(Count(ending.log, "Crashed running the instruction at: 0x"), 1u);
  EXPECT_EQ(Count(ending.log, "------ REGISTERS ------"), 1u);
}

[[gnu::noinline]] int Overflow(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Overflow(depth + 1) + room[0];
}

TEST(CrashReport, WorksOnAnOverflownStack) {
  if (kSanitizerOwnsSignals) GTEST_SKIP();
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log);
    AlternateSignalStack stack;
    _exit(Overflow(0));
  });
  EXPECT_TRUE(Killed(ending, SIGSEGV)) << ending.status;
  ExpectOneReport(ending);
}

TEST(CrashReport, AddsTheServersSections) {
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log, {.sections = [](void*, RawWriter& out) {
                         out.Text("\n------ INFO OUTPUT ------\nall well until now").EndLine();
                       }});
    raise(SIGSEGV);
  });
  EXPECT_EQ(Count(ending.log, "------ INFO OUTPUT ------\nall well until now\n"), 1u) << ending.log;
}

TEST(CrashReport, ACrashInsideTheReportEndsIt) {
  if (kSanitizerOwnsSignals) GTEST_SKIP();
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log, {.sections = [](void*, RawWriter&) { WriteToBadAddress(); }});
    raise(SIGABRT);
  });
  EXPECT_TRUE(Killed(ending, SIGSEGV)) << ending.status;
  EXPECT_EQ(Count(ending.log, "=== REDIS BUG REPORT START"), 1u);
  EXPECT_EQ(Count(ending.log, "Crashed again while reporting"), 1u);
}

TEST(CrashReport, ReportsAFailedCheck) {
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log);
    CHECK(1 + 1 == 3);
  });
  EXPECT_TRUE(Killed(ending, SIGABRT)) << ending.status;
  ExpectOneReport(ending);
  EXPECT_EQ(Count(ending.log, "=== ASSERTION FAILED ==="), 1u);
  EXPECT_EQ(Count(ending.log, "'1 + 1 == 3' is not true"), 1u) << ending.log;

  const Ending exited = RunChild([](Logger& log) {
    CrashReport report(log, {.on_check_failure = OnCheckFailure::kExit});
    CHECK(false);
  });
  EXPECT_TRUE(WIFEXITED(exited.status) && WEXITSTATUS(exited.status) == 1) << exited.status;
  ExpectOneReport(exited);
}

TEST(CrashReport, ReportsAStateThatMustNotBe) {
  const Ending ending = RunChild([](Logger& log) {
    CrashReport report(log);
    report.WriteFor("two and two made five");
    _exit(1);
  });
  ExpectOneReport(ending);
  EXPECT_EQ(Count(ending.log, "Guru Meditation: two and two made five\n"), 1u);
}

TEST(Watchdog, PrintsTheStackOfAStuckThread) {
  const Ending ending = RunChild([](Logger& log) {
    Watchdog watchdog(log);
    watchdog.Kick();  // disabled: nothing
    watchdog.SetPeriod(10);
    pause();  // stuck until the signal interrupts it
    watchdog.SetPeriod(0);
    _exit(0);
  });
  EXPECT_TRUE(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0) << ending.status;
  EXPECT_EQ(Count(ending.log, "--- WATCHDOG TIMER EXPIRED ---"), 1u) << ending.log;
  EXPECT_EQ(Count(ending.log, "STACK TRACE"), 1u);
}

TEST(Watchdog, AnAlarmFromOutsideIsSurvived) {
  const Ending ending = RunChild([](Logger& log) {
    InstallAlarmHandler(log);
    kill(getpid(), SIGALRM);
    _exit(0);
  });
  EXPECT_TRUE(WIFEXITED(ending.status)) << ending.status;
  EXPECT_EQ(Count(ending.log, "Received SIGALRM"), 1u) << ending.log;
  EXPECT_EQ(Count(ending.log, "STACK TRACE"), 1u);
}

}  // namespace
}  // namespace cinnabar::os
