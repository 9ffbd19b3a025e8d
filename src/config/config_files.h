// ConfigFiles: the file operations that a configuration needs, as a port, so that loading and rewriting run
// in tests and fuzzers without a disk.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cinnabar::config {

class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;

  virtual Result<std::string> Read(const std::string& path) = 0;
  // The names that match a pattern, sorted. No match is no error.
  virtual std::vector<std::string> Glob(const std::string& pattern) = 0;
  // Puts `text` in the place of the file such that a crash leaves either the old or the new content. A file
  // that cannot be replaced where it is (a container's single mounted file, or one in a folder of somebody
  // else) is written over instead: there, a power cut in this moment may leave a mixture.
  virtual Status Replace(const std::string& path, std::string_view text) = 0;

  virtual Status ChangeDirectory(const std::string& path) = 0;
  virtual std::string CurrentDirectory() = 0;
};

// The real ones.
std::unique_ptr<ConfigFiles> MakeSystemConfigFiles();

}  // namespace cinnabar::config
