// A whole file in memory, for reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cinnabar::os {

class MappedFile {
 public:
  // The error is the system's: its text and errno. A folder is EISDIR.
  static Result<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Valid while the object lives and nobody shortens the file.
  std::string_view bytes() const { return {begin_, size_}; }

 private:
  MappedFile() = default;
  const char* begin_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cinnabar::os
