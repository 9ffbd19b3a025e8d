// Arbitrary bytes taken for compressed ones: nothing is read or written outside of them and of the result.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "structures/lzf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t result_bytes = size_t{data[0]} << 3 | (data[1] & 7u);
  // Allocations of their own, so that what goes beyond their ends is seen.
  const std::string packed(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string result(result_bytes, '\0');
  cinnabar::lzf::Unpack(packed, result.data(), result.size());
  return 0;
}
