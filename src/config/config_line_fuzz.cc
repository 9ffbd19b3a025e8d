// Any line splits or is refused; quoting brings its words back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/quote.h"
#include "config/line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto words = cinnabar::config::SplitLine({reinterpret_cast<const char*>(data), size});
  if (!words) return 0;
  std::string line;
  for (const std::string& word : *words) line += cinnabar::Quoted(word) + ' ';
  CHECK(cinnabar::config::SplitLine(line) == words);
  return 0;
}
