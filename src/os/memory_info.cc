#include "os/memory_info.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "os/files.h"

namespace cinnabar::os {
namespace {

uint64_t NumberAt(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Micros ToMicros(const timeval& time) {
  return time.tv_sec * kMicrosPerSecond + time.tv_usec;
}

}  // namespace

uint64_t ResidentBytes() {
  const std::string text = ReadWholeFile("/proc/self/statm").value_or("");
  const size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return NumberAt(std::string_view(text).substr(space)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t TotalSystemBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t SmapsBytes(const char* field, pid_t pid) {
  const std::string process = pid == 0 ? "/proc/self" : fmt::format("/proc/{}", pid);
  Result<std::string> text = ReadWholeFile(process + "/smaps_rollup");
  if (!text) text = ReadWholeFile(process + "/smaps");
  if (!text) return 0;
  const std::string label = fmt::format("\n{}:", field);
  uint64_t kilobytes = 0;
  for (size_t at = text->find(label); at != std::string::npos; at = text->find(label, at + 1)) {
    kilobytes += NumberAt(std::string_view(*text).substr(at + label.size()));
  }
  return kilobytes * 1024;
}

CpuTimes ReadCpuTimes(CpuTimesOf whom) {
  constexpr int kWho[] = {RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD};
  rusage usage{};
  getrusage(static_cast<__rusage_who_t>(kWho[static_cast<size_t>(whom)]), &usage);
  return {ToMicros(usage.ru_utime), ToMicros(usage.ru_stime)};
}

Status DisableTransparentHugePages() {
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0) {
    return Fail(fmt::format("prctl(PR_SET_THP_DISABLE): {}", std::strerror(errno)), errno);
  }
  return {};
}

bool TransparentHugePagesAlways(const std::string& root) {
  const auto text = ReadWholeFile(root + "/sys/kernel/mm/transparent_hugepage/enabled");
  return text && text->find("[always]") != std::string::npos;
}

std::vector<std::string> KernelWarnings(int tcp_backlog, HugePages pages, const std::string& root) {
  std::vector<std::string> warnings;
  const auto overcommit = ReadWholeFile(root + "/proc/sys/vm/overcommit_memory");
  if (overcommit && NumberAt(*overcommit) != 1) {
    warnings.push_back(
        "WARNING Memory overcommit must be enabled! Without it, a background save or replication may fail "
        "under "
        "low memory condition. Set 'vm.overcommit_memory = 1' in /etc/sysctl.conf and reboot, or run 'sysctl "
        "vm.overcommit_memory=1', for this to take effect.");
  }
  if (pages == HugePages::kTaken && TransparentHugePagesAlways(root)) {
    warnings.push_back(
        "WARNING Transparent Huge Pages (THP) are set to 'always' in this kernel, which costs latency and "
        "memory "
        "while a snapshot is written. Run 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' as "
        "root, "
        "and make it permanent in your boot scripts; restart the server afterwards.");
  }
  const auto somaxconn = ReadWholeFile(root + "/proc/sys/net/core/somaxconn");
  const uint64_t limit = somaxconn ? NumberAt(*somaxconn) : 0;
  if (limit > 0 && limit < static_cast<uint64_t>(tcp_backlog)) {
    warnings.push_back(
        fmt::format("WARNING: The TCP backlog setting of {} cannot be enforced because "
                    "/proc/sys/net/core/somaxconn is set to the lower value of {}.",
                    tcp_backlog, limit));
  }
  return warnings;
}

}  // namespace cinnabar::os
