// Detaching from the terminal, and the pid file.
#pragma once

#include <string>

#include "base/result.h"

namespace cinnabar::os {

// Continues in a child process with its own session, standard streams on /dev/null; the caller's process ends
// with status 0. REQUIRES: no other thread exists yet.
Status Daemonize();

// A file that holds our process id and goes away with this object. A pid file that cannot be written is worth
// a log line and nothing more, which is the caller's business.
class PidFile {
 public:
  PidFile() = default;
  ~PidFile() { Remove(); }
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  Status Create(const std::string& path);

  // Removes the file if this very process made it: a forked child's copy of the object removes nothing.
  void Remove();

 private:
  std::string path_;
  int owner_pid_ = 0;
};

// Tells systemd (NOTIFY_SOCKET) one line such as "READY=1" or "STOPPING=1". False when systemd does not
// listen.
bool NotifySystemd(const std::string& line);

}  // namespace cinnabar::os
