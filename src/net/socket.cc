#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "net/reactor.h"

namespace cinnabar::net {
namespace {

std::unexpected<Error> FailErrno(const std::string& what, int code) {
  return Fail(what + ": " + strerror(code), code);
}

std::string TextOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == 127;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<int> ListenOn(const addrinfo& info, int backlog) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return FailErrno("socket", errno);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (info.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, info.ai_addr, info.ai_addrlen) != 0 || listen(fd, backlog) != 0) {
    int code = errno;
    close(fd);
    return FailErrno("bind", code);
  }
  return fd;
}

}  // namespace

Result<int> ListenTcp(const std::string& address, int port, int backlog) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_family = AF_UNSPEC;
  const char* host = address.c_str();
  if (address == "*") {
    hints.ai_family = AF_INET;
    host = nullptr;
  } else if (address == "::*") {
    hints.ai_family = AF_INET6;
    host = nullptr;
  }
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(host, std::to_string(port).c_str(), &hints, &found); error != 0) {
    return Fail(gai_strerror(error), error == EAI_SYSTEM ? errno : EADDRNOTAVAIL);
  }
  Result<int> result = ListenOn(*found, backlog);
  freeaddrinfo(found);
  return result;
}

Result<int> ListenUnix(const std::string& path, int mode, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Fail("Unix socket path too long", ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  unlink(path.c_str());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return FailErrno("socket", errno);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, backlog) != 0) {
    int code = errno;
    close(fd);
    return FailErrno("bind " + path, code);
  }
  if (mode != 0) chmod(path.c_str(), static_cast<mode_t>(mode));
  return fd;
}

Result<Accepted> Accept(int listener) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  int fd = accept4(listener, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  Accepted accepted;
  if (fd < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return accepted;
    return FailErrno("accept", errno);
  }
  accepted.fd = fd;
  sockaddr_storage local{};
  length = sizeof local;
  getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  if (local.ss_family == AF_UNIX) {
    accepted.unix_socket = true;
    accepted.peer = std::string(reinterpret_cast<sockaddr_un&>(local).sun_path) + ":0";
    accepted.local = accepted.peer;
    return accepted;
  }
  accepted.peer = TextOf(address);
  accepted.local = TextOf(local);
  accepted.loopback = IsLoopback(address);
  return accepted;
}

Result<int> BeginConnect(const std::string& address, int port, const std::string& source) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0)
    return Fail(gai_strerror(error));
  const addrinfo& target = *found;
  const int fd = socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int code = fd < 0 ? errno : 0;
  addrinfo* from = nullptr;
  hints.ai_family = target.ai_family;
  if (code == 0 && !source.empty() && getaddrinfo(source.c_str(), nullptr, &hints, &from) == 0) {
    if (bind(fd, from->ai_addr, from->ai_addrlen) != 0) code = errno;
    freeaddrinfo(from);
  }
  if (code == 0 && connect(fd, target.ai_addr, target.ai_addrlen) != 0 && errno != EINPROGRESS) code = errno;
  freeaddrinfo(found);
  if (code == 0) return fd;
  if (fd >= 0) close(fd);
  return FailErrno("connect", code);
}

int ConnectError(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  if (error != 0) return error;
  sockaddr_storage peer{};
  length = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 ? 0 : EINPROGRESS;
}

bool WaitReady(int fd, uint32_t interest, int64_t nanos) {
  pollfd waited{.fd = fd, .events = 0, .revents = 0};
  if ((interest & kReadable) != 0) waited.events |= POLLIN;
  if ((interest & kWritable) != 0) waited.events |= POLLOUT;
  const int64_t end = SystemMonotonicNanos() + nanos;
  for (int64_t left = nanos;; left = end - SystemMonotonicNanos()) {
    left = std::max<int64_t>(left, 0);
    const timespec limit{.tv_sec = left / kNanosPerSecond, .tv_nsec = left % kNanosPerSecond};
    const int ready = ppoll(&waited, fd < 0 ? 0 : 1, &limit, nullptr);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

std::string LocalName(int fd) {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0) return {};
  return TextOf(local);
}

void SetNoDelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void SetKeepAlive(int fd, int seconds) {
  if (seconds <= 0) return;
  int on = 1, count = 3, interval = std::max(seconds / 3, 1);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace cinnabar::net
