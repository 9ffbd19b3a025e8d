#include "config/config_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace cinnabar::config {

namespace {

std::unexpected<Error> FailWithErrno() {
  int code = errno;
  return Fail(std::strerror(code), code);
}

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

Status WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailWithErrno();
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

// Writes, flushes and gives the file the permissions of the one it replaces.
Status WriteNewFile(int fd, const std::string& replaced, std::string_view text) {
  struct stat old_file;
  mode_t mode = stat(replaced.c_str(), &old_file) == 0 ? old_file.st_mode & 07777 : 0644;
  TRY_STATUS(WriteAll(fd, text));
  if (fchmod(fd, mode) != 0) return FailWithErrno();
  if (fsync(fd) != 0) return FailWithErrno();
  return {};
}

// A mount point cannot be replaced, and a folder may be read-only or somebody else's while the file in it is
// not.
bool IsRefusedByPlace(int code) {
  return code == EBUSY || code == EACCES || code == EPERM || code == EROFS;
}

// Room is taken first, so that a full disk leaves the file as it is.
Status Overwrite(const std::string& path, std::string_view text) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  struct stat old_file;
  if (file.get() < 0 || fstat(file.get(), &old_file) != 0) return FailWithErrno();
  const auto size = static_cast<off_t>(text.size());
  const off_t growth = size - old_file.st_size;
  if (const int code = growth > 0 ? posix_fallocate(file.get(), old_file.st_size, growth) : 0; code != 0) {
    if (ftruncate(file.get(), old_file.st_size) != 0) return FailWithErrno();
    return Fail(strerror(code), code);
  }
  TRY_STATUS(WriteAll(file.get(), text));
  if (ftruncate(file.get(), size) != 0 || fsync(file.get()) != 0) return FailWithErrno();
  return {};
}

class SystemConfigFiles final : public ConfigFiles {
 public:
  Result<std::string> Read(const std::string& path) override {
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return FailWithErrno();
    std::string text;
    char buffer[16 * 1024];
    for (;;) {
      ssize_t size = read(file.get(), buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return FailWithErrno();
      if (size == 0) return text;
      text.append(buffer, static_cast<size_t>(size));
    }
  }

  std::vector<std::string> Glob(const std::string& pattern) override {
    std::vector<std::string> names;
    glob_t matches = {};
    if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
      names.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    }
    globfree(&matches);
    return names;
  }

  Status Replace(const std::string& path, std::string_view text) override {
    Status status = PutInPlace(path, text);
    if (status || !IsRefusedByPlace(status.error().code)) return status;
    const Status written = Overwrite(path, text);
    return !written && written.error().code == ENOENT ? status : written;
  }

  Status ChangeDirectory(const std::string& path) override {
    if (chdir(path.c_str()) != 0) return FailWithErrno();
    return {};
  }

  std::string CurrentDirectory() override {
    std::error_code ignored;
    return std::filesystem::current_path(ignored).string();
  }

 private:
  Status PutInPlace(const std::string& path, std::string_view text) {
    std::string temporary = fmt::format("{}.{}-XXXXXX", path, getpid());
    Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));
    if (file.get() < 0) return FailWithErrno();
    Status status = WriteNewFile(file.get(), path, text);
    if (status && rename(temporary.c_str(), path.c_str()) != 0) status = FailWithErrno();
    if (!status) {
      unlink(temporary.c_str());
      return status;
    }
    std::string directory = std::filesystem::path(path).parent_path().string();
    Descriptor parent(open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.get() < 0 || fsync(parent.get()) != 0) return FailWithErrno();
    return {};
  }
};

}  // namespace

std::unique_ptr<ConfigFiles> MakeSystemConfigFiles() {
  return std::make_unique<SystemConfigFiles>();
}

}  // namespace cinnabar::config
