// The calling thread's stack, written from inside a signal handler.
#pragma once

#include <cstdint>

#include "base/log.h"

namespace cinnabar::os {

// The first trace of a process loads a library and allocates; this does that now, while it is harmless.
void PrepareStackTraces();

// Writes "------ STACK TRACE ------", the interrupted instruction if known (0 if not), and one line per
// frame. Names of functions appear if the program exports them (-rdynamic). Async-signal-safe once prepared.
void WriteStackTrace(RawWriter& out, uint64_t instruction);

// Where the code was that a signal interrupted, from the third argument of its handler.
uint64_t InterruptedInstruction(const void* signal_context);

}  // namespace cinnabar::os
