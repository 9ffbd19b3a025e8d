#include "os/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cinnabar::os {

Result<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Fail(strerror(errno), errno);
  struct stat facts {};
  int code = fstat(fd, &facts) == 0 ? 0 : errno;
  if (code == 0 && S_ISDIR(facts.st_mode)) code = EISDIR;
  auto file = std::unique_ptr<MappedFile>(new MappedFile);
  if (code == 0 && facts.st_size > 0) {
    const auto size = static_cast<size_t>(facts.st_size);
    void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
      code = errno;
    } else {
      madvise(bytes, size, MADV_SEQUENTIAL);
      file->begin_ = static_cast<const char*>(bytes);
      file->size_ = size;
    }
  }
  close(fd);
  if (code != 0) return Fail(strerror(code), code);
  return file;
}

MappedFile::~MappedFile() {
  if (begin_ != nullptr) munmap(const_cast<char*>(begin_), size_);
}

}  // namespace cinnabar::os
