#include "os/open_files_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cinnabar::os {
namespace {

constexpr uint64_t kUnknownLimit = 1024;
constexpr uint64_t kStep = 16;

// The highest limit the kernel grants, between what we have and what we want. `refusal` gets the first errno.
uint64_t Raise(uint64_t current, uint64_t hard, uint64_t wanted, OpenFilesSystem& system, int& refusal) {
  refusal = system.Set(wanted, std::max(wanted, hard));
  if (refusal == 0) return wanted;
  if (hard > current) {  // unprivileged: up to the hard limit
    const uint64_t reachable = std::min(wanted, hard);
    if (system.Set(reachable, hard) == 0) return reachable;
  }
  for (uint64_t limit = wanted; limit > current + kStep;) {  // fs.nr_open or a container's rule in between
    limit -= kStep;
    if (system.Set(limit, std::max(limit, hard)) == 0) return limit;
  }
  return current;
}

}  // namespace

int OpenFilesSystem::Get(uint64_t& current, uint64_t& hard) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return errno;
  current = limit.rlim_cur;
  hard = limit.rlim_max;
  return 0;
}

int OpenFilesSystem::Set(uint64_t current, uint64_t hard) {
  const rlimit limit{current, hard};
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? errno : 0;
}

OpenFilesOutcome AdjustOpenFilesLimit(uint64_t maxclients, uint64_t reserved, OpenFilesSystem& system) {
  OpenFilesOutcome outcome{maxclients, {}};
  const uint64_t wanted = maxclients + reserved;
  uint64_t current = 0;
  uint64_t hard = 0;
  if (const int code = system.Get(current, hard); code != 0) {
    outcome.maxclients = std::min(maxclients, kUnknownLimit > reserved ? kUnknownLimit - reserved : 0);
    outcome.log.push_back(
        {LogLevel::kWarning,
         fmt::format("Unable to obtain the current NOFILE limit ({}), assuming {} and setting "
                     "the max clients configuration accordingly.",
                     std::strerror(code), kUnknownLimit)});
    return outcome;
  }
  if (current >= wanted) return outcome;

  int refusal = 0;
  const uint64_t reached = Raise(current, hard, wanted, system, refusal);
  if (reached >= wanted) {
    outcome.log.push_back(
        {LogLevel::kNotice, fmt::format("Increased maximum number of open files to {} (it was "
                                        "originally set to {}).",
                                        wanted, current)});
    return outcome;
  }
  outcome.maxclients = reached > reserved ? reached - reserved : 0;
  if (outcome.maxclients == 0) {
    outcome.log.push_back(
        {LogLevel::kWarning,
         fmt::format("Your current 'ulimit -n' of {} is not enough for the server to start. "
                     "Please increase your open file limit to at least {}. Exiting.",
                     reached, wanted)});
    return outcome;
  }
  outcome.log.push_back(
      {LogLevel::kWarning,
       fmt::format("You requested maxclients of {} requiring at least {} max file descriptors.", maxclients,
                   wanted)});
  outcome.log.push_back(
      {LogLevel::kWarning, fmt::format("Server can't set maximum open files to {} because of OS error: {}.",
                                       wanted, std::strerror(refusal))});
  outcome.log.push_back(
      {LogLevel::kWarning,
       fmt::format("Current maximum open files is {}. maxclients has been reduced to {} to "
                   "compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
                   reached, outcome.maxclients)});
  return outcome;
}

}  // namespace cinnabar::os
