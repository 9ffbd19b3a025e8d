// The number of CPUs this process may really use.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cinnabar::os {

// The smaller of the affinity mask and the cgroup's CPU quota (v1 or v2, any level of the tree), a part of a
// CPU counting as one; at least 1. Reads files: once at start-up.
int UsableCpus();

// The quota alone, 0 when there is none. `root` is put before every path that is read, for tests.
int CpuQuota(const std::string& root = "");

// "0,2,3", "0-7", "0-7:2" (every second): the form of server_cpulist and its siblings.
Result<std::vector<int>> ParseCpuList(const std::string& text);

// Those that the calling thread may run on.
std::vector<int> CpusOfThisThread();

// Binds the calling thread to these CPUs.
Status PinThisThread(const std::vector<int>& cpus);

// Gives the calling thread SCHED_BATCH: when it wakes up on a CPU that is busy it does not interrupt the
// thread that runs there. On a free CPU nothing changes. Needs no privilege.
Status UseBatchScheduling();

}  // namespace cinnabar::os
