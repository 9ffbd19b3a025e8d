#include "apps/write_reference.h"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "commands/command_tables.h"
#include "config/config.h"
#include "dispatch/documentation.h"
#include "dispatch/registry.h"

namespace cinnabar::apps {
namespace {

bool Write(const std::filesystem::path& path, std::string_view text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file.fail()) return true;
  fmt::print(stderr, "Can't write {}\n", path.string());
  return false;
}

}  // namespace

int WriteReference(const std::string& folder) {
  const std::filesystem::path root = folder;
  const dispatch::Registry registry(commands::CommandTables(), dispatch::Personality::kAny);
  const bool written = Write(root / "docs/reference/commands.md", dispatch::CommandReference(registry)) &&
                       Write(root / "docs/reference/config.md", config::GenerateReference()) &&
                       Write(root / "cinnabar.conf", config::GenerateConf());
  return written ? 0 : 1;
}

}  // namespace cinnabar::apps
