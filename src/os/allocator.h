// The memory allocator, seen from the server: jemalloc where the program is linked with it (looked up through
// weak symbols), else the C library's or a sanitizer's, which can answer fewer questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace cinnabar::os {

// "jemalloc-5.3.0" or "libc"
std::string AllocatorName();

// Fresh figures; some 50 µs with jemalloc, so for cron and INFO. Unknown ones are 0.
struct AllocatorStats {
  uint64_t allocated = 0;  // handed out
  uint64_t active = 0;     // pages with at least one object
  uint64_t resident = 0;   // pages in memory, cached ones included
  uint64_t retained = 0;   // address space kept, not in memory
  uint64_t mapped = 0;
  uint64_t metadata = 0;
  uint64_t muzzy = 0;  // given back to the system, which has not taken it yet

  double FragmentationRatio() const { return allocated == 0 ? 1.0 : double(active) / double(allocated); }
  uint64_t FragmentationBytes() const { return active > allocated ? active - allocated : 0; }
};
AllocatorStats ReadAllocatorStats();

// Gives unused pages back to the system. May take long.
void MallocPurge();

// A report for people, as long as it may be.
std::string MallocStats();

// jemalloc's own background purging threads; false if that is not possible.
bool SetBackgroundPurging(bool enabled);

// Named numbers and strings of jemalloc (DEBUG MALLCTL). Set returns the value from before.
Result<int64_t> MallctlGet(const char* name);
Result<int64_t> MallctlSet(const char* name, int64_t value);
Result<std::string> MallctlGetString(const char* name);
// For names that stand for something to do.
Status MallctlDo(const char* name);

namespace internal {
struct MemoryMeterState;
}

// used_memory without a cost per operation: jemalloc counts what each thread has allocated and freed anyway;
// the meter adds these counters up. Threads that are not registered are not seen: every thread of the server
// holds a ThreadMemory. Without jemalloc Used() asks the allocator.
// Any thread may call Used(); cost: one short lock and two loads per thread.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  uint64_t Used() const;

 private:
  friend class ThreadMemory;
  internal::MemoryMeterState* state_;
};

// Registers the calling thread with the meter, counting all it ever allocated; on destruction (same thread)
// its figures stay in the sum. REQUIRES: at most one per thread and meter.
class ThreadMemory {
 public:
  explicit ThreadMemory(MemoryMeter& meter);
  ~ThreadMemory();
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;

 private:
  MemoryMeter& meter_;
};

}  // namespace cinnabar::os
