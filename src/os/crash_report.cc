#include "os/crash_report.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "os/stack_trace.h"

namespace cinnabar::os {
namespace {

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr size_t kAlternateStackBytes = 128 * 1024;

// The kernel and CHECK call plain functions; this is how they find the object.
std::atomic<CrashReport*> installed{nullptr};

int ThreadId() {
  return static_cast<int>(syscall(SYS_gettid));
}

void DieOf(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(signal);
}

void WriteRegisters([[maybe_unused]] RawWriter& out, [[maybe_unused]] const void* signal_context) {
#if defined(__x86_64__)
  struct Register {
    const char* name;
    int index;
  };
  constexpr Register kRegisters[] = {{"RAX", REG_RAX}, {"RBX", REG_RBX}, {"RCX", REG_RCX}, {"RDX", REG_RDX},
                                     {"RDI", REG_RDI}, {"RSI", REG_RSI}, {"RBP", REG_RBP}, {"RSP", REG_RSP},
                                     {"R8", REG_R8},   {"R9", REG_R9},   {"R10", REG_R10}, {"R11", REG_R11},
                                     {"R12", REG_R12}, {"R13", REG_R13}, {"R14", REG_R14}, {"R15", REG_R15},
                                     {"RIP", REG_RIP}, {"EFL", REG_EFL}};
  const auto* context = static_cast<const ucontext_t*>(signal_context);
  if (context == nullptr) return;
  out.Text("\n------ REGISTERS ------\n");
  int column = 0;
  for (const Register& entry : kRegisters) {
    out.Text(entry.name).Text("=").Hex(static_cast<uint64_t>(context->uc_mcontext.gregs[entry.index]));
    out.Text(++column % 4 == 0 ? "\n" : " ");
  }
  out.EndLine();
#endif
}

}  // namespace

CrashReport::CrashReport(const Logger& log, Options options) : log_(log), options_(options) {
  CHECK(installed.exchange(this) == nullptr);
  PrepareStackTraces();
  struct sigaction action {};
  action.sa_sigaction = [](int signal, siginfo_t* information, void* context) {
    HandleSignal(signal, information, context);
  };
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (int signal : kCrashSignals) sigaction(signal, &action, nullptr);
  SetCheckFailureHandler(HandleCheck);
}

CrashReport::~CrashReport() {
  SetCheckFailureHandler(nullptr);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal : kCrashSignals) sigaction(signal, &action, nullptr);
  installed = nullptr;
}

// False if a report is under way: then this thread has crashed inside it and must just die.
bool CrashReport::Begin(RawWriter& out) {
  const int self = ThreadId();
  int reporting = 0;
  if (!reporting_thread_.compare_exchange_strong(reporting, self)) {
    while (reporting != self) pause();  // another thread reports, and its death will be ours
    out.Text("\nCrashed again while reporting. The report ends here.").EndLine();
    return false;
  }
  out.Text("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===").EndLine();
  return true;
}

void CrashReport::Body(RawWriter& out, const void* signal_context) {
  WriteStackTrace(out, InterruptedInstruction(signal_context));
  WriteRegisters(out, signal_context);
  if (options_.sections != nullptr) options_.sections(options_.context, out);
  out.Text("\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n")
      .Text(
          "This is a bug of the server, or of the machine's memory. Please report it with the lines above.\n")
      .EndLine();
}

void CrashReport::HandleSignal(int signal, void* information, void* context) {
  if (CrashReport* self = installed.load()) self->ReportSignal(signal, information, context);
  DieOf(signal);
}

void CrashReport::ReportSignal(int signal, const void* information, const void* context) {
  const auto* details = static_cast<const siginfo_t*>(information);
  RawWriter out(log_.fd());
  if (!Begin(out)) return;
  out.Prefix()
      .Text("crashed by signal: ")
      .Number(signal)
      .Text(", si_code: ")
      .Number(details->si_code)
      .EndLine();
  if (details->si_code <= 0) {
    out.Prefix()
        .Text("Killed by PID: ")
        .Number(details->si_pid)
        .Text(", UID: ")
        .Number(details->si_uid)
        .EndLine();
  } else if (signal == SIGSEGV || signal == SIGBUS) {
    out.Prefix().Text("Accessing address: ").Hex(reinterpret_cast<uintptr_t>(details->si_addr)).EndLine();
  }
  if (const uint64_t instruction = InterruptedInstruction(context)) {
    out.Prefix().Text("Crashed running the instruction at: ").Hex(instruction).EndLine();
  }
  Body(out, context);
}

void CrashReport::HandleCheck(const char* file, int line, const char* condition) {
  CrashReport* self = installed.load();
  if (self == nullptr) return;
  RawWriter out(self->log_.fd());
  if (self->Begin(out)) {
    out.Prefix().Text("=== ASSERTION FAILED ===").EndLine();
    out.Prefix().Text("==> ").Text(file).Text(":").Number(line).Text(" '").Text(condition).Text(
        "' is not true");
    out.EndLine();
    self->Body(out, nullptr);
  }
  if (self->options_.on_check_failure == Options::OnCheckFailure::kExit) _exit(1);
  DieOf(SIGABRT);
}

void CrashReport::WriteFor(const char* reason) {
  RawWriter out(log_.fd());
  if (!Begin(out)) return;
  out.Prefix().Text("Guru Meditation: ").Text(reason).EndLine();
  Body(out, nullptr);
}

AlternateSignalStack::AlternateSignalStack()
    : memory_(
          mmap(nullptr, kAlternateStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  CHECK(memory_ != MAP_FAILED);
  stack_t stack{};
  stack.ss_sp = memory_;
  stack.ss_size = kAlternateStackBytes;
  sigaltstack(&stack, nullptr);
}

AlternateSignalStack::~AlternateSignalStack() {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
  munmap(memory_, kAlternateStackBytes);
}

}  // namespace cinnabar::os
