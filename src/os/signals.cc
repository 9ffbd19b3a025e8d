#include "os/signals.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/check.h"

namespace cinnabar::os {
namespace {

// The kernel calls a plain function; this is how it finds the object.
std::atomic<TerminationSignals*> installed{nullptr};

void SetHandler(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void IgnoreUninterestingSignals() {
  SetHandler(SIGPIPE, SIG_IGN, 0);
  SetHandler(SIGHUP, SIG_IGN, 0);
  // A file that may not grow any more is an error of write(2), as a full disk is.
  SetHandler(SIGXFSZ, SIG_IGN, 0);
}

TerminationSignals::TerminationSignals(Hook hook, void* context)
    : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), hook_(hook), context_(context) {
  CHECK(fd_ >= 0);
  CHECK(installed.exchange(this) == nullptr);
  SetHandler(SIGTERM, Handle, 0);
  SetHandler(SIGINT, Handle, 0);
}

TerminationSignals::~TerminationSignals() {
  SetHandler(SIGTERM, SIG_DFL, 0);
  SetHandler(SIGINT, SIG_DFL, 0);
  installed = nullptr;
  close(fd_);
}

void TerminationSignals::Handle(int signal) {
  TerminationSignals* self = installed.load();
  if (self == nullptr) return;
  const int saved_errno = errno;
  self->pending_.store(signal);
  const int unanswered = self->unanswered_.fetch_add(1) + 1;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(self->fd_, &one, sizeof one);
  if (self->hook_ != nullptr) self->hook_(self->context_, signal, unanswered);
  errno = saved_errno;
}

int TerminationSignals::Take() {
  uint64_t count;
  [[maybe_unused]] const ssize_t ignored = read(fd_, &count, sizeof count);
  unanswered_ = 0;
  return pending_.exchange(0);
}

void SetChildSignals() {
  SetHandler(SIGINT, SIG_IGN, 0);
  SetHandler(SIGTERM, SIG_DFL, 0);
  SetHandler(
      SIGUSR1, [](int) { _exit(kChildStoppedStatus); }, 0);
}

}  // namespace cinnabar::os
