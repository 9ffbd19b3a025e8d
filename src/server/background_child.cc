#include "server/background_child.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include "base/check.h"
#include "os/fork_shelter.h"
#include "os/memory_info.h"
#include "os/signals.h"

namespace cinnabar::server {
namespace {

Millis MonotonicMillis() {
  return SystemMonotonicNanos() / kNanosPerMilli;
}

// Sockets that the child keeps open would keep its parent's clients connected and its ports taken.
void CloseAllBut(int one, int other) {
  unsigned first = STDERR_FILENO + 1;
  for (const int kept : {std::min(one, other), std::max(one, other)}) {
    if (kept < static_cast<int>(first)) continue;
    const auto number = static_cast<unsigned>(kept);
    if (number > first) close_range(first, number - 1, 0);
    first = number + 1;
  }
  close_range(first, ~0U, 0);
}

}  // namespace

BackgroundChild::BackgroundChild(Logger& log, std::function<void(std::string_view)> set_title,
                                 std::function<void()> started)
    : log_(log), set_title_(std::move(set_title)), started_hook_(std::move(started)) {
  void* shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  progress_ = new (shared) Progress;
}

BackgroundChild::~BackgroundChild() {
  Stop();
  munmap(progress_, sizeof(Progress));
}

Millis BackgroundChild::running_for() const {
  return running() ? MonotonicMillis() - started_ : 0;
}

Status BackgroundChild::Start(Purpose purpose, std::function<bool()> work, int kept_fd) {
  CHECK(!running());
  progress_->keys = progress_->copied_bytes = 0;
  progress_->copied_at = 0;
  const Nanos began = SystemMonotonicNanos();
  purpose_ = purpose;
  const pid_t parent = getpid();
  pid_t pid = -1;
  {
    os::ForkGuard nobody_allocates;
    pid = fork();
  }
  if (pid == 0) RunChild(parent, work, kept_fd);
  if (pid < 0) {
    const int code = errno;
    purpose_ = Purpose::kNone;
    return Fail(std::string("fork: ") + strerror(code), code);
  }
  last_fork_micros_ = (SystemMonotonicNanos() - began) / kNanosPerMicro;
  ++forks_;
  started_ = MonotonicMillis();
  pid_ = pid;
  started_hook_();
  return {};
}

void BackgroundChild::RunChild(pid_t parent, const std::function<bool()>& work, int kept_fd) {
  // A child that outlived its parent would put an old data set in the place of what the next server has
  // saved.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  os::SetChildSignals();
  CloseAllBut(log_.fd(), kept_fd);
  if (set_title_) set_title_(purpose_ == Purpose::kSnapshot ? "redis-rdb-bgsave" : "redis-aof-rewrite");
  const bool done = work();
  progress_->copied_bytes = os::PrivateDirtyBytes();
  // Neither destructors nor exit handlers: all of this belongs to the parent.
  _exit(done ? 0 : 1);
}

void BackgroundChild::Tell(uint64_t keys) {
  progress_->keys.store(keys, std::memory_order_relaxed);
  constexpr uint64_t kLookEvery = 1024;
  if (keys % kLookEvery != 0) return;
  const Millis now = MonotonicMillis();
  if (now - progress_->copied_at.load(std::memory_order_relaxed) < kMillisPerSecond) return;
  progress_->copied_bytes = os::PrivateDirtyBytes();
  progress_->copied_at = now;
}

BackgroundChild::Outcome BackgroundChild::Reap(int status) {
  Outcome outcome{.purpose = purpose_,
                  .how = Outcome::How::kFailed,
                  .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                  .took = running_for(),
                  .copied_bytes = progress_->copied_bytes};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) outcome.how = Outcome::How::kDone;
  const bool stopped =
      outcome.signal == SIGUSR1 || (WIFEXITED(status) && WEXITSTATUS(status) == os::kChildStoppedStatus);
  if (stopped) outcome.how = Outcome::How::kStopped;
  pid_ = -1;
  purpose_ = Purpose::kNone;
  return outcome;
}

bool BackgroundChild::Ended() const {
  if (!running()) return false;
  siginfo_t facts{};
  return waitid(P_PID, static_cast<id_t>(pid_), &facts, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         facts.si_pid == pid_;
}

std::optional<BackgroundChild::Outcome> BackgroundChild::Poll() {
  if (!running()) return std::nullopt;
  int status = 0;
  const pid_t got = waitpid(pid_, &status, WNOHANG);
  if (got != pid_) return std::nullopt;
  return Reap(status);
}

void BackgroundChild::Stop() {
  if (!running()) return;
  kill(pid_, SIGUSR1);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  Reap(status);
}

}  // namespace cinnabar::server
