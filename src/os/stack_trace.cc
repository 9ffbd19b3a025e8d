#include "os/stack_trace.h"

#include <execinfo.h>
#include <ucontext.h>

namespace cinnabar::os {
namespace {
constexpr int kFramesMax = 100;
}  // namespace

void PrepareStackTraces() {
  void* frames[1];
  backtrace(frames, 1);
}

void WriteStackTrace(RawWriter& out, uint64_t instruction) {
  void* frames[kFramesMax];
  const int count = backtrace(frames, kFramesMax);
  out.Text("\n------ STACK TRACE ------\n");
  if (instruction != 0) {
    void* address = reinterpret_cast<void*>(instruction);
    out.Text("Interrupted at:").EndLine();
    backtrace_symbols_fd(&address, 1, out.fd());
  }
  out.Text("\nBacktrace:").EndLine();
  constexpr int kOwnFrames = 1;
  if (count > kOwnFrames) backtrace_symbols_fd(frames + kOwnFrames, count - kOwnFrames, out.fd());
}

uint64_t InterruptedInstruction(const void* signal_context) {
  if (signal_context == nullptr) return 0;
  [[maybe_unused]] const auto* context = static_cast<const ucontext_t*>(signal_context);
#if defined(__x86_64__)
  return static_cast<uint64_t>(context->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return context->uc_mcontext.pc;
#else
  return 0;
#endif
}

}  // namespace cinnabar::os
