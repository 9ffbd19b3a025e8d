#include "os/daemon.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace cinnabar::os {

Status Daemonize() {
  const pid_t child = fork();
  if (child < 0) return Fail(fmt::format("fork: {}", std::strerror(errno)), errno);
  if (child > 0) _exit(0);
  setsid();
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return {};  // no /dev/null in this container: keep the streams
  for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
  if (null > STDERR_FILENO) close(null);
  return {};
}

Status PidFile::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Fail(fmt::format("{}: {}", path, std::strerror(errno)), errno);
  const std::string line = fmt::format("{}\n", getpid());
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int code = errno;
  close(fd);
  if (!written) return Fail(fmt::format("{}: {}", path, std::strerror(code)), code);
  char* absolute = realpath(path.c_str(), nullptr);
  path_ = absolute != nullptr ? absolute : path;
  std::free(absolute);
  owner_pid_ = getpid();
  return {};
}

void PidFile::Remove() {
  if (!path_.empty() && owner_pid_ == getpid()) unlink(path_.c_str());
  path_.clear();
}

bool NotifySystemd(const std::string& line) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return false;
  const size_t size = std::strlen(name);
  if (size < 2 || size >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, name, size);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const auto address_size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  const ssize_t sent =
      sendto(fd, line.data(), line.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), address_size);
  close(fd);
  return sent == static_cast<ssize_t>(line.size());
}

}  // namespace cinnabar::os
