#include "server/payload_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace cinnabar::server {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;
constexpr int kPipeBytes = 1024 * 1024;
constexpr int kPiecesAtOnce = 4;

}  // namespace

Result<int> PayloadPipe::Open() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return Fail(std::string("Can't create pipe for the snapshot of a replica: ") + strerror(errno), errno);
  fd_ = ends[0];
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  // A hint: an unprivileged process may get less.
  fcntl(fd_, F_SETPIPE_SZ, kPipeBytes);
  return ends[1];
}

Status PayloadPipe::Begin() {
  TRY_STATUS(cores_[0]->AddListener(fd_, *this));
  watched_ = true;
  paused_ = false;
  return {};
}

void PayloadPipe::Close() {
  if (fd_ < 0) return;
  if (std::exchange(watched_, false)) cores_[0]->RemoveListener(fd_, *this);
  close(std::exchange(fd_, -1));
}

bool PayloadPipe::ReadSome() {
  SharedBytes piece = SharedBytes::Allocate(0, kPieceBytes);
  const ssize_t count = read(fd_, piece.data(), kPieceBytes);
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  piece.set_size(static_cast<size_t>(count));
  hooks_.deliver(std::move(piece));
  return true;
}

void PayloadPipe::OnReady() {
  if (fd_ < 0 || cores_[0]->dispatcher().long_commands().yielding()) return;
  for (int i = 0; i < kPiecesAtOnce; ++i) {
    if (!hooks_.room()) {
      paused_ = true;
      return cores_[0]->WatchListener(fd_, *this, 0);
    }
    if (ReadSome()) continue;
    // The end, or nothing yet; the end of the child is heard of elsewhere.
    if (errno != EAGAIN) cores_[0]->WatchListener(fd_, *this, 0);
    return;
  }
}

void PayloadPipe::Resume() {
  if (fd_ < 0 || !paused_ || !hooks_.room()) return;
  paused_ = false;
  cores_[0]->WatchListener(fd_, *this, net::kReadable);
}

void PayloadPipe::Drain() {
  while (fd_ >= 0 && ReadSome()) {
  }
}

}  // namespace cinnabar::server
