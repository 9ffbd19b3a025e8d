#include "os/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace cinnabar::os {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> FailWithErrno(std::string_view action, const std::string& path) {
  const int code = errno;
  return Fail(fmt::format("{} {}: {}", action, path, std::strerror(code)), code);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status WriteAndSync(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailWithErrno("writing", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) < 0) return FailWithErrno("fsync of", path);
  return {};
}

}  // namespace

Result<std::string> ReadWholeFile(const std::string& path, uint64_t bytes_max) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FailWithErrno("opening", path);
  std::string bytes;
  char part[16384];
  for (;;) {
    const ssize_t size = read(file.get(), part, sizeof part);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FailWithErrno("reading", path);
    if (size == 0) return bytes;
    bytes.append(part, static_cast<size_t>(size));
    if (bytes.size() > bytes_max)
      return Fail(fmt::format("{} is larger than {} bytes", path, bytes_max), EFBIG);
  }
}

Status AtomicWriteFile(const std::string& path, std::string_view bytes, int mode) {
  const std::string temporary = fmt::format("{}.tmp-{}", path, getpid());
  unlink(temporary.c_str());  // of a process with the same id that died
  Descriptor file(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode)));
  if (file.get() < 0) return FailWithErrno("creating", temporary);
  Status status = WriteAndSync(file.get(), bytes, temporary);
  if (status && rename(temporary.c_str(), path.c_str()) < 0) status = FailWithErrno("renaming to", path);
  if (!status) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncDirectoryOf(path);
}

Status SyncDirectoryOf(const std::string& path) {
  const std::string name = DirectoryOf(path);
  Descriptor directory(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return FailWithErrno("opening", name);
  // Some file systems cannot sync a directory and say so with EINVAL; there is nothing more to do then.
  if (fsync(directory.get()) < 0 && errno != EINVAL) return FailWithErrno("fsync of", name);
  return {};
}

}  // namespace cinnabar::os
