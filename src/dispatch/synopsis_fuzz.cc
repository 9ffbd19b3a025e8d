// Any text either is a synopsis or is refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dispatch/synopsis.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto arguments = cinnabar::dispatch::ParseSynopsis(text, 3)) cinnabar::dispatch::UsageLine(*arguments);
  return 0;
}
