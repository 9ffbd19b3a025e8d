#include "base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace cinnabar {
namespace {
std::atomic<CheckFailureHandler> failure_handler{nullptr};
}  // namespace

void SetCheckFailureHandler(CheckFailureHandler handler) {
  failure_handler = handler;
}

void CheckFailed(const char* file, int line, const char* condition) {
  if (CheckFailureHandler handler = failure_handler.exchange(nullptr)) handler(file, line, condition);
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace cinnabar
