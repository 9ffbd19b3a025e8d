#include "persistence/snapshot_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "os/files.h"

namespace cinnabar::persistence {
namespace {

constexpr size_t kWriteBytes = 256 * 1024;

// Collects small pieces and keeps the first error.
class FileSink final : public ByteSink {
 public:
  FileSink(int fd, uint64_t sync_bytes) : fd_(fd), sync_bytes_(sync_bytes) {
    buffer_.reserve(kWriteBytes * 2);
  }

  void Take(std::string_view bytes) override {
    if (error_ != 0) return;
    buffer_.append(bytes);
    if (buffer_.size() >= kWriteBytes) Drain();
  }

  void Drain() {
    size_t done = 0;
    while (error_ == 0 && done < buffer_.size()) {
      const ssize_t count = write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (count > 0) {
        done += static_cast<size_t>(count);
      } else if (count == 0 || errno != EINTR) {
        error_ = count == 0 ? ENOSPC : errno;
      }
    }
    unsynced_ += done;
    buffer_.clear();
    if (sync_bytes_ > 0 && unsynced_ >= sync_bytes_) Sync();
  }
  void Sync() {
    if (error_ == 0 && fdatasync(fd_) != 0) error_ = errno;
    unsynced_ = 0;
  }
  int error() const { return error_; }

 private:
  const int fd_;
  const uint64_t sync_bytes_;
  std::string buffer_;
  uint64_t unsynced_ = 0;
  int error_ = 0;
};

}  // namespace

Result<uint64_t> WriteWholeFile(const std::string& path, const std::string& temporary, uint64_t sync_bytes,
                                const std::function<uint64_t(ByteSink&)>& write) {
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    const int code = errno;
    return Fail("Failed opening the temp RDB file " + temporary +
                    " (in server root dir) for saving: " + strerror(code),
                code);
  }
  // Says to other servers on this folder that somebody still writes it. Not every file system can.
  [[maybe_unused]] const int locked = flock(fd, LOCK_EX | LOCK_NB);
  FileSink sink(fd, sync_bytes);
  const uint64_t result = write(sink);
  sink.Drain();
  sink.Sync();
  int code = sink.error();
  if (close(fd) != 0 && code == 0) code = errno;
  if (code == 0 && rename(temporary.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    unlink(temporary.c_str());
    return Fail(std::string("Write error while saving DB to the disk: ") + strerror(code), code);
  }
  if (const Status synced = os::SyncDirectoryOf(path); !synced) return std::unexpected(synced.error());
  return result;
}

Result<uint64_t> WriteToDescriptor(int fd, const std::function<uint64_t(ByteSink&)>& write) {
  FileSink sink(fd, 0);
  const uint64_t result = write(sink);
  sink.Drain();
  if (sink.error() != 0)
    return Fail(std::string("Write error while sending DB: ") + strerror(sink.error()), sink.error());
  return result;
}

}  // namespace cinnabar::persistence
