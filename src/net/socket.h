// Sockets: listening and accepted ones, as file descriptors. All are non-blocking and closed on exec.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cinnabar::net {

// Listens on `address` ("*" = every IPv4 address, "::*" = every IPv6 address) and `port`.
Result<int> ListenTcp(const std::string& address, int port, int backlog);
// `mode` 0 keeps what the umask gives. An existing socket file is replaced.
Result<int> ListenUnix(const std::string& path, int mode, int backlog);

struct Accepted {
  int fd = -1;
  bool unix_socket = false;
  bool tls = false;  // what arrives is TLS: the listener's owner knows
  bool loopback = false;
  std::string peer;  // "address:port"; for a Unix socket "path:0"
  std::string local;
};

// -1 in `fd` when nothing waits (or the connection was gone already).
Result<Accepted> Accept(int listener);

// Begins to connect to a numeric address, from the source address if there is one. Ready for writing: ask
// ConnectError.
Result<int> BeginConnect(const std::string& address, int port, const std::string& source);
// 0: the connection is there; EINPROGRESS: not yet; else why it will not be.
int ConnectError(int fd);
// Waits until the descriptor is ready for `interest` (bits of Interest), which an error or a hang-up makes it
// too; at most so long. Whether it is. Without a descriptor (-1) it waits for the time alone.
bool WaitReady(int fd, uint32_t interest, int64_t nanos);
// "address:port" of this end.
std::string LocalName(int fd);

void SetNoDelay(int fd);
// Probes an idle peer every `seconds` / 3; 0 = never.
void SetKeepAlive(int fd, int seconds);

}  // namespace cinnabar::net
