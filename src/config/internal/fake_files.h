// ConfigFiles in memory, for tests and fuzzers.
#pragma once

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "base/glob.h"
#include "config/config_files.h"

namespace cinnabar::config {

class FakeFiles final : public ConfigFiles {
 public:
  std::map<std::string, std::string> files;
  std::string directory = "/work";
  Status replace_result;

  Result<std::string> Read(const std::string& path) override {
    auto found = files.find(path);
    if (found == files.end()) return Fail("No such file or directory", ENOENT);
    return found->second;
  }

  std::vector<std::string> Glob(const std::string& pattern) override {
    std::vector<std::string> names;
    for (const auto& [name, text] : files) {
      if (GlobMatch(pattern, name)) names.push_back(name);
    }
    return names;
  }

  Status Replace(const std::string& path, std::string_view text) override {
    if (!replace_result) return replace_result;
    files[path] = text;
    return {};
  }

  Status ChangeDirectory(const std::string& path) override {
    if (!path.starts_with('/')) return Fail("No such file or directory", ENOENT);
    directory = path;
    return {};
  }

  std::string CurrentDirectory() override { return directory; }
};

}  // namespace cinnabar::config
