#include "os/allocator.h"

#include <fmt/core.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/check.h"

extern "C" {
[[gnu::weak]] int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                          size_t new_size);
[[gnu::weak]] void malloc_stats_print(void (*write)(void*, const char*), void* context, const char* options);
[[gnu::weak]] size_t __sanitizer_get_current_allocated_bytes();
}

namespace cinnabar::os {
namespace {

bool HasJemalloc() {
  return mallctl != nullptr;
}

std::unexpected<Error> NoJemalloc() {
  return Fail("the server does not run on jemalloc", ENOTSUP);
}

std::unexpected<Error> FailMallctl(const char* name, int code) {
  return Fail(fmt::format("mallctl {}: {}", name, std::strerror(code)), code);
}

uint64_t ReadSize(const char* name) {
  size_t value = 0;
  size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

void RefreshEpoch() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, sizeof epoch);
}

// jemalloc's names have one of several integer types, and a wrong size is EINVAL: try from the widest down.
Result<int64_t> Mallctl(const char* name, const int64_t* fresh) {
  if (!HasJemalloc()) return NoJemalloc();
  int code = EINVAL;
  for (const size_t width : {sizeof(uint64_t), sizeof(uint32_t), sizeof(bool)}) {
    uint64_t old_value = 0;
    uint64_t new_value = fresh == nullptr ? 0 : static_cast<uint64_t>(*fresh);
    size_t size = width;
    code = mallctl(name, &old_value, &size, fresh == nullptr ? nullptr : &new_value,
                   fresh == nullptr ? 0 : width);
    if (code == 0) return static_cast<int64_t>(old_value);
    if (code != EINVAL) break;
  }
  return FailMallctl(name, code);
}

uint64_t LibraryAllocatedBytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) return __sanitizer_get_current_allocated_bytes();
  const struct mallinfo2 information = mallinfo2();
  return information.uordblks + information.hblkhd;
}

}  // namespace

namespace internal {

struct ThreadCounters {
  pthread_t thread;
  const uint64_t* allocated;
  const uint64_t* deallocated;

  // Written by their thread with plain stores; an aligned word is read whole.
  uint64_t Balance() const {
    return __atomic_load_n(allocated, __ATOMIC_RELAXED) - __atomic_load_n(deallocated, __ATOMIC_RELAXED);
  }
};

struct MemoryMeterState {
  mutable std::mutex mutex;
  const pid_t process = getpid();
  std::vector<ThreadCounters> threads;
  uint64_t ended_threads = 0;  // their balances; a thread that freed others' memory wraps below zero
};

}  // namespace internal

std::string AllocatorName() {
  if (!HasJemalloc()) return "libc";
  const std::string version = MallctlGetString("version").value_or("");
  return "jemalloc-" + version.substr(0, version.find('-'));
}

AllocatorStats ReadAllocatorStats() {
  AllocatorStats stats;
  if (HasJemalloc()) {
    RefreshEpoch();
    stats.allocated = ReadSize("stats.allocated");
    stats.active = ReadSize("stats.active");
    stats.resident = ReadSize("stats.resident");
    stats.retained = ReadSize("stats.retained");
    stats.mapped = ReadSize("stats.mapped");
    stats.metadata = ReadSize("stats.metadata");
    stats.muzzy = ReadSize("stats.arenas.4096.pmuzzy") * ReadSize("arenas.page");  // 4096: of all arenas
    return stats;
  }
  const struct mallinfo2 information = mallinfo2();
  stats.allocated = LibraryAllocatedBytes();
  stats.mapped = std::max<uint64_t>(stats.allocated, information.arena + information.hblkhd);
  stats.active = stats.resident = stats.mapped;
  return stats;
}

void MallocPurge() {
  if (!HasJemalloc()) {
    malloc_trim(0);
    return;
  }
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096 stands for all arenas
}

std::string MallocStats() {
  if (malloc_stats_print == nullptr) return "Stats not supported for the current allocator";
  std::string text;
  malloc_stats_print(
      [](void* context, const char* part) { static_cast<std::string*>(context)->append(part); }, &text,
      nullptr);
  return text;
}

bool SetBackgroundPurging(bool enabled) {
  return HasJemalloc() && mallctl("background_thread", nullptr, nullptr, &enabled, sizeof enabled) == 0;
}

Result<int64_t> MallctlGet(const char* name) {
  return Mallctl(name, nullptr);
}
Result<int64_t> MallctlSet(const char* name, int64_t value) {
  return Mallctl(name, &value);
}

Result<std::string> MallctlGetString(const char* name) {
  if (!HasJemalloc()) return NoJemalloc();
  const char* value = nullptr;
  size_t size = sizeof value;
  const int code = mallctl(name, &value, &size, nullptr, 0);
  if (code != 0) return FailMallctl(name, code);
  return value == nullptr ? "" : value;
}

Status MallctlDo(const char* name) {
  if (!HasJemalloc()) return NoJemalloc();
  const int code = mallctl(name, nullptr, nullptr, nullptr, 0);
  if (code != 0) return FailMallctl(name, code);
  return {};
}

MemoryMeter::MemoryMeter() : state_(new internal::MemoryMeterState) {}
MemoryMeter::~MemoryMeter() {
  delete state_;
}

uint64_t MemoryMeter::Used() const {
  DCHECK(getpid() == state_->process);  // the mutex may have been held when the process forked
  if (!HasJemalloc()) return LibraryAllocatedBytes();
  const std::lock_guard lock(state_->mutex);
  uint64_t used = state_->ended_threads;
  for (const internal::ThreadCounters& thread : state_->threads) used += thread.Balance();
  return static_cast<int64_t>(used) < 0 ? 0 : used;
}

ThreadMemory::ThreadMemory(MemoryMeter& meter) : meter_(meter) {
  if (!HasJemalloc()) return;
  uint64_t* allocated = nullptr;
  uint64_t* deallocated = nullptr;
  size_t size = sizeof allocated;
  if (mallctl("thread.allocatedp", &allocated, &size, nullptr, 0) != 0) return;
  size = sizeof deallocated;
  if (mallctl("thread.deallocatedp", &deallocated, &size, nullptr, 0) != 0) return;
  const std::lock_guard lock(meter_.state_->mutex);
  meter_.state_->threads.push_back({pthread_self(), allocated, deallocated});
}

ThreadMemory::~ThreadMemory() {
  const std::lock_guard lock(meter_.state_->mutex);
  std::erase_if(meter_.state_->threads, [this](const internal::ThreadCounters& thread) {
    if (pthread_equal(thread.thread, pthread_self()) == 0) return false;
    meter_.state_->ended_threads += thread.Balance();
    return true;
  });
}

}  // namespace cinnabar::os
