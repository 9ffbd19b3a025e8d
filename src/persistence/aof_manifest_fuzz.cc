// Whatever text is taken for a manifest says the same after it was written and read again.
#include "base/check.h"
#include "persistence/aof_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cinnabar::persistence::AofManifest;
  const auto manifest = AofManifest::Parse({reinterpret_cast<const char*>(data), size});
  if (!manifest || (manifest->empty() && manifest->history.empty())) return 0;
  const auto again = AofManifest::Parse(manifest->Format());
  CHECK(again.has_value());
  CHECK(again->base == manifest->base && again->increments == manifest->increments);
  CHECK(again->history == manifest->history);
  return 0;
}
