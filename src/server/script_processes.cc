// posix_spawn instead of fork: the child shares our memory until it executes the program, so that the time
// does not depend on how much there is, no lock can be found taken, and an error of execve comes back.
#include "server/script_processes.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cinnabar::server {
namespace {

// A group of its own, and no signal ignored or blocked because we do so.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    CHECK(posix_spawnattr_init(&attributes_) == 0);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int ignored : {SIGPIPE, SIGHUP, SIGXFSZ}) sigaddset(&signals, ignored);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace

bool MayExecute(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0;
}

Result<pid_t> ScriptProcesses::Start(uint64_t number, const std::string& path,
                                     std::span<const std::string> arguments) {
  // The interface is older than const.
  std::vector<char*> words = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t process = 0;
  const int code =
      posix_spawn(&process, path.c_str(), nullptr, SpawnAttributes().get(), words.data(), environ);
  if (code == EAGAIN || code == ENOMEM) return Fail(std::string("posix_spawn: ") + strerror(code), code);
  if (code != 0) {
    log_.Warning("The script {} cannot be executed: {}", path, strerror(code));
    ended_.push_back({.number = number, .exit_code = kNotExecuted});
    return 0;
  }
  processes_[number] = process;
  return process;
}

// One that has ended and was not taken yet keeps its number: nobody else can be hit.
void ScriptProcesses::Kill(uint64_t number) {
  if (const auto found = processes_.find(number); found != processes_.end()) kill(-found->second, SIGKILL);
}

std::vector<ScriptProcesses::Ended> ScriptProcesses::TakeEnded() {
  for (auto each = processes_.begin(); each != processes_.end();) {
    int status = 0;
    const pid_t got = waitpid(each->second, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) {
      ++each;
      continue;
    }
    Ended ended{.number = each->first, .exit_code = std::nullopt};
    if (got > 0 && WIFSIGNALED(status)) {
      ended.signal = WTERMSIG(status);
    } else {
      // Without a status (whoever started us ignores SIGCHLD, so that the system keeps none) it counts as
      // done.
      ended.exit_code = got > 0 ? WEXITSTATUS(status) : 0;
    }
    ended_.push_back(ended);
    each = processes_.erase(each);
  }
  return std::exchange(ended_, {});
}

}  // namespace cinnabar::server
