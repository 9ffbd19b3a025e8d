// The request parser on any bytes: it must stay inside them, and cut them up in any way without another
// result.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "protocol/feed_for_test.h"

using namespace cinnabar;
using namespace cinnabar::protocol;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  // The first two bytes choose the limits and the size of the pieces.
  const ParseLimits limits{.bulk_bytes_max = (data[0] & 1) != 0 ? 512ll * 1024 * 1024 : 64,
                           .argument_count_max = (data[0] & 2) != 0 ? 2147483647 : 16,
                           .inline_bytes_max = (data[0] & 4) != 0 ? 64u * 1024 : 32u,
                           .authenticated = (data[0] & 8) != 0};
  const size_t piece = 1 + data[1] % 16;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Parsed whole = FeedWhole(input, limits);
  const Parsed pieces = Feed(input, limits, [piece](size_t left) { return std::min(left, piece); });
  // A line without its end may be refused as too long before the end arrives: then pieces stop earlier.
  CHECK(pieces.requests.size() <= whole.requests.size());
  CHECK(std::equal(pieces.requests.begin(), pieces.requests.end(), whole.requests.begin()));
  if (!whole.error.empty()) CHECK(!pieces.error.empty());
  if (pieces.error.empty()) CHECK(pieces == whole);
  return 0;
}
