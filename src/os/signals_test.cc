#include "os/signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace cinnabar::os {
namespace {

bool Readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

TEST(TerminationSignals, CountsAndWakes) {
  static std::vector<std::pair<int, int>> calls;
  calls.reserve(16);
  TerminationSignals signals(
      [](void*, int signal, int unanswered) { calls.emplace_back(signal, unanswered); });
  EXPECT_EQ(signals.Pending(), 0);
  EXPECT_FALSE(Readable(signals.fd()));
  raise(SIGTERM);
  raise(SIGINT);
  EXPECT_TRUE(Readable(signals.fd()));
  EXPECT_EQ(signals.Pending(), SIGINT);
  EXPECT_EQ(signals.Take(), SIGINT);
  EXPECT_FALSE(Readable(signals.fd()));
  EXPECT_EQ(signals.Take(), 0);
  raise(SIGINT);
  const std::vector<std::pair<int, int>> expected{{SIGTERM, 1}, {SIGINT, 2}, {SIGINT, 1}};
  EXPECT_EQ(calls, expected);
}

TEST(TerminationSignals, LeavesTheDefaultsBehind) {
  const pid_t child = fork();
  if (child == 0) {
    { TerminationSignals signals; }
    raise(SIGTERM);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(Signals, UninterestingOnesAreSurvived) {
  IgnoreUninterestingSignals();
  raise(SIGPIPE);
  raise(SIGHUP);
}

TEST(Signals, AChildEndsQuietlyOnSigusr1) {
  const pid_t child = fork();
  if (child == 0) {
    SetChildSignals();
    raise(SIGINT);
    raise(SIGUSR1);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kChildStoppedStatus);
}

}  // namespace
}  // namespace cinnabar::os
