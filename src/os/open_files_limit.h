// Room for `maxclients` descriptors: the limit is raised as far as the system allows, and when that is not
// far enough, maxclients gives way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"

namespace cinnabar::os {

// Descriptors the server needs besides its clients: listeners, files, epoll, cluster links.
inline constexpr uint64_t kReservedDescriptors = 32;

// The two system calls, so that tests can stand in for the kernel. Each returns an errno value, 0 for
// success.
class OpenFilesSystem {
 public:
  virtual ~OpenFilesSystem() = default;
  virtual int Get(uint64_t& current, uint64_t& hard);
  virtual int Set(uint64_t current, uint64_t hard);
};

struct OpenFilesOutcome {
  uint64_t maxclients = 0;  // what is possible: at most what was asked for; 0 when not even one client fits
  struct Line {
    LogLevel level;
    std::string text;
  };
  std::vector<Line> log;
};

// For start-up, where maxclients is lowered with a warning, and for CONFIG SET maxclients, which is refused
// if less than asked for is possible.
OpenFilesOutcome AdjustOpenFilesLimit(uint64_t maxclients, uint64_t reserved, OpenFilesSystem& system);

}  // namespace cinnabar::os
