// CHECK: a condition that only a bug of ours can break. It stays on in release builds and ends the process
// through the crash report. DCHECK is compiled out with NDEBUG. Neither is ever used on outside input.
#pragma once

namespace cinnabar {

// Called once, before the process dies; the server plugs its crash report in. Must not return normally.
using CheckFailureHandler = void (*)(const char* file, int line, const char* condition);
void SetCheckFailureHandler(CheckFailureHandler handler);

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace cinnabar

#define CHECK(condition) \
  (__builtin_expect(!(condition), 0) ? ::cinnabar::CheckFailed(__FILE__, __LINE__, #condition) : void(0))

#ifdef NDEBUG
#define DCHECK(condition) void(sizeof(!(condition)))
#else
#define DCHECK(condition) CHECK(condition)
#endif
