// Any pattern against any text: ends, in bounds, and a text always matches its own quoted form.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/glob.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t split = bytes.empty() ? 0 : data[0] % bytes.size();
  // Copies, so that the sanitizer sees reads beyond either end.
  const std::string pattern(bytes.substr(0, split));
  const std::string text(bytes.substr(split));
  const bool sensitive = cinnabar::GlobMatch(pattern, text);
  cinnabar::GlobMatch(pattern, text, cinnabar::CaseMode::kInsensitive);
  // In front, because behind an open bracket or a backslash a star is not a star.
  if (sensitive && !text.empty() && pattern.size() < cinnabar::kGlobStarsMax) {
    CHECK(cinnabar::GlobMatch("*" + pattern, text));
  }
  std::string quoted;
  for (const char c : text) {
    quoted += '\\';
    quoted += c;
  }
  CHECK(cinnabar::GlobMatch(quoted, text));
  return 0;
}
