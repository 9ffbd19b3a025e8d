// What a server that was killed has left in its folder: snapshots and bases of the append-only file that are
// not finished and that nobody will finish.
//
//   temp-PID.rdb   temp-rewriteaof-PID.aof   temp-rewriteaof-bg-PID.aof   (and the same with .part)
//
// A file is removed when the process of that number is not there or is this one, nobody holds a lock on the
// file (ours do while they write, also in other containers), and it has not changed for a minute (those of
// stock Redis, which locks nothing).
#pragma once

#include <string>

#include "base/log.h"

namespace cinnabar::server {

// Logs what it removes. REQUIRES: this process writes none of them at the moment.
void RemoveLeftovers(const std::string& folder, Logger& log);

}  // namespace cinnabar::server
