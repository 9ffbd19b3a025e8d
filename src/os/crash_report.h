// The last words of a process that is about to die of a bug: which signal, where, the stack, the registers,
// and whatever the server wants to add (INFO, clients, configuration), between two marker lines.
//
// Everything is written with write(2) from buffers on the stack. The report runs on the crashed thread, on an
// alternate stack if the thread has one, so that an overflown stack can be reported too. A crash inside the
// report ends it. When two threads crash together the first one reports and the second waits for the end.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/log.h"

namespace cinnabar::os {

struct CrashReportOptions {
  // Adds sections after the stack trace. Runs in a broken process: no allocation, no locks that a crashed
  // thread may hold. Each section begins with its own "------ NAME ------" line.
  void (*sections)(void* context, RawWriter& out) = nullptr;
  void* context = nullptr;
  // How a failed CHECK ends the process: abort (core dump), or a plain exit with status 1.
  enum class OnCheckFailure { kAbort, kExit } on_check_failure = OnCheckFailure::kAbort;
};

// Handles SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and failed CHECKs while it exists. At most one object at a
// time. After the report the signal is raised again with its default action.
class CrashReport {
 public:
  using Options = CrashReportOptions;

  explicit CrashReport(const Logger& log, Options options = {});
  ~CrashReport();
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;

  // Writes a report without a signal, for a state that must not be: `reason` becomes its first line. The
  // caller decides how to end.
  void WriteFor(const char* reason);

 private:
  static void HandleSignal(int signal, void* information, void* context);
  static void HandleCheck(const char* file, int line, const char* condition);

  bool Begin(RawWriter& out);
  void Body(RawWriter& out, const void* signal_context);
  void ReportSignal(int signal, const void* information, const void* context);

  const Logger& log_;
  Options options_;
  std::atomic<int> reporting_thread_{0};
};

// Gives the calling thread a stack to run crash handlers on; one per thread, for the thread's lifetime.
class AlternateSignalStack {
 public:
  AlternateSignalStack();
  ~AlternateSignalStack();
  AlternateSignalStack(const AlternateSignalStack&) = delete;
  AlternateSignalStack& operator=(const AlternateSignalStack&) = delete;

 private:
  void* memory_;
};

}  // namespace cinnabar::os
