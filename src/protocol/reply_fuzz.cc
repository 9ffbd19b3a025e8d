// The reply parser on any bytes: it must stay inside them, keep to its limits, and give the same replies and
// the same problem however they are cut up.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/random.h"
#include "protocol/feed_replies_for_test.h"

using namespace cinnabar;
using namespace cinnabar::protocol;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  // The first two bytes choose the limits and the sizes of the pieces.
  const ReplyParser::Limits limits{.bulk_bytes = (data[0] & 1) != 0 ? 64u << 20 : 16u,
                                   .elements = (data[0] & 2) != 0 ? 1u << 20 : 8u,
                                   .depth = (data[0] & 4) != 0 ? 16 : 2,
                                   .total_bytes = (data[0] & 8) != 0 ? 256u << 20 : 48u};
  Random random(data[1]);
  const size_t piece_max = 1 + data[1] % 16;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const ParsedReplies whole = FeedRepliesWhole(input, limits);
  CHECK(whole.buffered <= input.size());
  CHECK(FeedRepliesByteByByte(input, limits) == whole);
  CHECK(FeedReplies(input, limits, [&](size_t left) {
          return std::min<size_t>(left, 1 + random.Uniform(piece_max));
        }) == whole);
  return 0;
}
