// Signals that ask the server to end, and the ones that are of no interest.
//
// Handlers run on whichever thread the kernel picks, so they only count and wake: an eventfd becomes readable
// and the owner's reactor decides what a SIGTERM means. A hook is there for the one decision that cannot wait
// for the reactor (a second Ctrl-C while it is stuck).
#pragma once

#include <atomic>

namespace cinnabar::os {

// SIGPIPE (a peer that went away shows as EPIPE) and SIGHUP (a closed terminal) no longer end the process.
void IgnoreUninterestingSignals();

// SIGTERM and SIGINT. At most one object exists at a time, because signal handlers are the process's.
class TerminationSignals {
 public:
  // Runs inside the handler: async-signal-safe calls only. `unanswered` counts the signals, this one
  // included, since the last Take.
  using Hook = void (*)(void* context, int signal, int unanswered);

  explicit TerminationSignals(Hook hook = nullptr, void* context = nullptr);
  ~TerminationSignals();
  TerminationSignals(const TerminationSignals&) = delete;
  TerminationSignals& operator=(const TerminationSignals&) = delete;

  // Readable while a signal waits to be taken.
  int fd() const { return fd_; }

  // The last signal that came, 0 for none; one look costs a relaxed load.
  int Pending() const { return pending_.load(std::memory_order_relaxed); }

  // The same, and forgets it: fd() becomes quiet. `unanswered` starts at 1 again.
  int Take();

 private:
  static void Handle(int signal);

  int fd_;
  Hook hook_;
  void* context_;
  std::atomic<int> pending_{0};
  std::atomic<int> unanswered_{0};
};

// For a forked child that writes a snapshot: the parent decides about SIGINT, and SIGUSR1 ends the child with
// kChildStoppedStatus, which means "was told to, no error".
inline constexpr int kChildStoppedStatus = 255;
void SetChildSignals();

}  // namespace cinnabar::os
