#include "server/leftovers.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string_view>

namespace cinnabar::server {
namespace {

constexpr time_t kUnchangedSeconds = 60;

// The number of the process that made the file; nothing when the name is another one.
std::optional<pid_t> MakerOf(std::string_view name) {
  constexpr std::string_view kUnfinished = ".part";
  if (name.ends_with(kUnfinished)) name.remove_suffix(kUnfinished.size());
  struct Form {
    std::string_view prefix, suffix;
  };
  for (const Form& form :
       {Form{"temp-rewriteaof-bg-", ".aof"}, Form{"temp-rewriteaof-", ".aof"}, Form{"temp-", ".rdb"}}) {
    if (!name.starts_with(form.prefix) || !name.ends_with(form.suffix)) continue;
    if (name.size() <= form.prefix.size() + form.suffix.size()) continue;
    const std::string_view digits =
        name.substr(form.prefix.size(), name.size() - form.prefix.size() - form.suffix.size());
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
    if (error == std::errc{} && end == digits.data() + digits.size() && pid > 0) return pid;
  }
  return std::nullopt;
}

bool Runs(pid_t pid) {
  return pid != getpid() && (kill(pid, 0) == 0 || errno != ESRCH);
}

bool Abandoned(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat facts {};
  const bool plain = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
  const bool old = plain && time(nullptr) - facts.st_mtime >= kUnchangedSeconds;
  const bool unlocked = old && flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return unlocked;
}

}  // namespace

void RemoveLeftovers(const std::string& folder, Logger& log) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = file.path().filename();
    const auto maker = MakerOf(name);
    if (!maker || Runs(*maker) || !Abandoned(file.path())) continue;
    if (unlink(file.path().c_str()) == 0) {
      log.Notice("Removing {}, which process {} left unfinished", name, *maker);
    } else {
      log.Warning("Can't remove {}, which process {} left unfinished: {}", name, *maker, strerror(errno));
    }
  }
}

}  // namespace cinnabar::server
