// ScriptProcesses: programs of people that a sentinel runs when something happens. Each is a child of its own
// with our environment, standard output and error; nobody waits for it.
//
// A child leads a process group, so that Kill also reaches what it has started. Those that still run when
// this goes are left alone.
//
// One thread, the owner's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace cinnabar::server {

// Whether there is a file that can be executed.
bool MayExecute(const std::string& path);

class ScriptProcesses {
 public:
  // What a file that cannot be executed ends with. Running it again would be of no use.
  static constexpr int kNotExecuted = 2;

  struct Ended {
    uint64_t number;
    std::optional<int> exit_code;  // none: ended by `signal`
    int signal = 0;
  };

  explicit ScriptProcesses(Logger& log) : log_(log) {}  // `log` must outlive this

  // `number` is the caller's. Returns the process, 0 if the file cannot be executed: then it has ended
  // already. The error: the system is short of something, another time it may work.
  Result<pid_t> Start(uint64_t number, const std::string& path, std::span<const std::string> arguments);
  // It ends soon, if it has not yet.
  void Kill(uint64_t number);
  // Those that have ended since the last call. Does not wait.
  std::vector<Ended> TakeEnded();
  size_t running() const { return processes_.size(); }

 private:
  Logger& log_;
  std::map<uint64_t, pid_t> processes_;  // by number
  std::vector<Ended> ended_;
};

}  // namespace cinnabar::server
