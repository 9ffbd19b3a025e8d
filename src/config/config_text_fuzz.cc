// Any text loads or is refused. What was loaded survives a complete rewrite.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "config/config.h"
#include "config/internal/fake_files.h"

namespace {

using cinnabar::config::Config;
using cinnabar::config::FakeFiles;

const std::string kPath = "/work/fuzz.conf";

bool Load(Config& config) {
  cinnabar::config::CommandLine line;
  line.config_path = kPath;
  return config.Load(line).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FakeFiles files;
  files.files[kPath].assign(reinterpret_cast<const char*>(data), size);
  Config config(files);
  if (!Load(config)) return 0;
  CHECK(config.RewriteForceAll().has_value());
  Config again(files);
  CHECK(Load(again));
  const std::string everything[] = {"*"};
  CHECK(config.Get(everything) == again.Get(everything));
  return 0;
}
