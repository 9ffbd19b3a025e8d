// What the kernel knows about memory and processor time, and what it should be told differently.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cinnabar::os {

// Resident set of this process; some 5 µs, so for cron and INFO.
uint64_t ResidentBytes();

// Memory of the machine.
uint64_t TotalSystemBytes();

// The sum of one field of /proc/PID/smaps, such as "Private_Dirty"; pid 0 is this process. Milliseconds when
// the process is large: what a fork has copied so far, asked by the child once a second.
uint64_t SmapsBytes(const char* field, pid_t pid = 0);
inline uint64_t PrivateDirtyBytes(pid_t pid = 0) {
  return SmapsBytes("Private_Dirty", pid);
}

struct CpuTimes {
  Micros user = 0;
  Micros system = 0;
};
enum class CpuTimesOf { kProcess, kChildren, kThread };
CpuTimes ReadCpuTimes(CpuTimesOf whom);

// Turns transparent huge pages off for this process: they make copy-on-write after a fork expensive.
Status DisableTransparentHugePages();
bool TransparentHugePagesAlways(const std::string& root = "");

// Settings of the kernel that will hurt, one log line each. `root` is put before every path, for tests.
enum class HugePages : uint8_t { kTaken, kRefused };
std::vector<std::string> KernelWarnings(int tcp_backlog, HugePages pages = HugePages::kTaken,
                                        const std::string& root = "");

}  // namespace cinnabar::os
