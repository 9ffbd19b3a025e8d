#include "net/transport.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace cinnabar::net {
namespace {

Transfer Failed() {
  if (errno == EAGAIN) return {.outcome = Transfer::Outcome::kLater};
  return {.outcome = Transfer::Outcome::kFailed, .error = errno};
}

}  // namespace

SocketTransport::~SocketTransport() {
  close(fd_);
}

Transfer SocketTransport::Read(std::span<char> room) {
  while (true) {
    const ssize_t got = read(fd_, room.data(), room.size());
    if (got > 0) [[likely]]
      return {.bytes = static_cast<size_t>(got)};
    if (got == 0) return {.outcome = Transfer::Outcome::kEnded};
    if (errno != EINTR) return Failed();
  }
}

Transfer SocketTransport::Write(std::span<const iovec> parts) {
  msghdr message{};
  // The system only reads them.
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  while (true) {
    const ssize_t sent = parts.size() == 1 ? send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                           : sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent > 0) [[likely]]
      return {.bytes = static_cast<size_t>(sent)};
    if (sent == 0) return {.outcome = Transfer::Outcome::kLater};  // there was nothing to send
    if (errno != EINTR) return Failed();
  }
}

void SocketTransport::Shutdown() {
  shutdown(fd_, SHUT_RDWR);
}

}  // namespace cinnabar::net
