#include "os/cpus.h"

#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>
#include <string_view>

#include "os/files.h"

namespace cinnabar::os {
namespace {

// A mounted cgroup tree and our place in it.
struct Cgroup {
  std::string mount;  // where the tree is mounted
  std::string base;   // which of its directories the mount shows
  std::string path;   // our directory in the tree
};

bool HasOption(const std::string& list, std::string_view option) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == option) return true;
  }
  return false;
}

// Fills mount and base of the v2 tree and of the v1 tree that controls CPUs.
// mountinfo: ID PARENT DEVICE BASE MOUNT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS
void FindMounts(const std::string& root, Cgroup& v1, Cgroup& v2) {
  std::istringstream lines(ReadWholeFile(root + "/proc/self/mountinfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash));
    std::istringstream back(line.substr(dash + 3));
    std::string id, parent, device, base, mount, type, source, options;
    front >> id >> parent >> device >> base >> mount;
    back >> type >> source >> options;
    if (type == "cgroup2" && v2.mount.empty()) v2 = {mount, base, ""};
    if (type == "cgroup" && HasOption(options, "cpu")) v1 = {mount, base, ""};
  }
}

// /proc/self/cgroup: ID:CONTROLLERS:PATH; v2 has no controllers.
void FindPaths(const std::string& root, Cgroup& v1, Cgroup& v2) {
  std::istringstream lines(ReadWholeFile(root + "/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty()) v2.path = line.substr(second + 1);
    if (HasOption(controllers, "cpu")) v1.path = line.substr(second + 1);
  }
}

int CpusOf(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::max<int64_t>(1, (quota + period - 1) / period));
}

int64_t NumberIn(const std::string& path) {
  const std::string text = ReadWholeFile(path).value_or("");
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int QuotaV2(const std::string& directory) {
  std::istringstream text(ReadWholeFile(directory + "/cpu.max").value_or(""));
  std::string quota;
  int64_t period = 0;
  text >> quota >> period;
  int64_t number = 0;  // stays 0 for "max"
  std::from_chars(quota.data(), quota.data() + quota.size(), number);
  return CpusOf(number, period);
}

int QuotaV1(const std::string& directory) {
  return CpusOf(NumberIn(directory + "/cpu.cfs_quota_us"), NumberIn(directory + "/cpu.cfs_period_us"));
}

// The smallest quota from our directory up to the mounted one.
int SmallestQuota(const std::string& root, const Cgroup& group, int (*quota_of)(const std::string&)) {
  if (group.mount.empty()) return 0;
  std::string path = group.path;
  if (group.base != "/" && path.starts_with(group.base)) path.erase(0, group.base.size());
  int smallest = 0;
  for (;;) {
    if (path == "/") path.clear();
    const int quota = quota_of(root + group.mount + path);
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    if (path.empty()) return smallest;
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

Result<int> CpuNumber(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number >= CPU_SETSIZE) {
    return Fail(fmt::format("'{}' is not a CPU number", text));
  }
  return number;
}

}  // namespace

int CpuQuota(const std::string& root) {
  Cgroup v1, v2;
  FindMounts(root, v1, v2);
  FindPaths(root, v1, v2);
  const int quota_v1 = SmallestQuota(root, v1, QuotaV1);
  const int quota_v2 = SmallestQuota(root, v2, QuotaV2);
  if (quota_v1 == 0 || quota_v2 == 0) return std::max(quota_v1, quota_v2);
  return std::min(quota_v1, quota_v2);
}

int UsableCpus() {
  cpu_set_t set;
  const int allowed = sched_getaffinity(0, sizeof set, &set) == 0
                          ? CPU_COUNT(&set)
                          : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const int quota = CpuQuota();
  return std::max(1, quota == 0 ? allowed : std::min(allowed, quota));
}

Result<std::vector<int>> ParseCpuList(const std::string& text) {
  std::vector<int> cpus;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const std::string_view view = item;
    const size_t colon = std::min(view.find(':'), view.size());
    const size_t dash = std::min(view.find('-'), colon);
    const int first = TRY(CpuNumber(view.substr(0, dash)));
    const int last = dash == colon ? first : TRY(CpuNumber(view.substr(dash + 1, colon - dash - 1)));
    const int step = colon == view.size() ? 1 : TRY(CpuNumber(view.substr(colon + 1)));
    if (last < first || step == 0) return Fail(fmt::format("'{}' is not a range of CPUs", item));
    for (int cpu = first; cpu <= last; cpu += step) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<int> CpusOfThisThread() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

Status PinThisThread(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) {
    return Fail(fmt::format("sched_setaffinity: {}", std::strerror(errno)), errno);
  }
  return {};
}

Status UseBatchScheduling() {
  sched_param parameters{};
  if (sched_setscheduler(0, SCHED_BATCH, &parameters) < 0) {
    return Fail(fmt::format("sched_setscheduler: {}", std::strerror(errno)), errno);
  }
  return {};
}

}  // namespace cinnabar::os
