#include "server/nodes_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "os/files.h"

namespace cinnabar::server {
namespace {

constexpr uint64_t kFileBytesMax = 64 << 20;
constexpr int kMode = 0644;

Status FailWithErrno(std::string_view doing, const std::string& path) {
  const int code = errno;
  return Fail(fmt::format("{} {}: {}", doing, path, strerror(code)), code);
}

Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FailWithErrno("writing", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

NodesStore::~NodesStore() {
  if (locked_fd_ >= 0) close(locked_fd_);
}

Result<std::string> NodesStore::Open(const std::string& path) {
  path_ = std::filesystem::absolute(path).string();
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode);
  if (fd < 0) {
    return Fail(fmt::format("Can't open {} in order to acquire a lock: {}", path_, strerror(errno)), errno);
  }
  locked_fd_ = fd;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno != EWOULDBLOCK) return Fail(fmt::format("Impossible to lock {}: {}", path_, strerror(errno)));
    return Fail(
        fmt::format("Sorry, the cluster configuration file {} is already used by a different Redis "
                    "Cluster node. Please make sure that different nodes use different cluster "
                    "configuration files.",
                    path_));
  }
  return os::ReadWholeFile(path_, kFileBytesMax);
}

// The new file is locked before it has the name, so that the name is never without a lock.
Status NodesStore::Replace(std::string_view text, Synced synced) {
  const std::string temporary = fmt::format("{}.tmp-{}", path_, getpid());
  unlink(temporary.c_str());  // of a process with the same id that died
  const int fd = open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (fd < 0) return FailWithErrno("creating", temporary);
  Status status = WriteAll(fd, text, temporary);
  if (status && flock(fd, LOCK_EX | LOCK_NB) < 0) status = FailWithErrno("locking", temporary);
  if (status && synced == Synced::kYes && fsync(fd) < 0) status = FailWithErrno("fsync of", temporary);
  if (status && rename(temporary.c_str(), path_.c_str()) < 0) status = FailWithErrno("renaming to", path_);
  if (!status) {
    unlink(temporary.c_str());
    close(fd);
    return status;
  }
  close(std::exchange(locked_fd_, fd));
  return synced == Synced::kYes ? os::SyncDirectoryOf(path_) : Status{};
}

}  // namespace cinnabar::server
