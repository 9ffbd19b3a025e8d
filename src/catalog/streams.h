// What consumer groups do, where Redis's versions disagree.
#pragma once

#include <cstdint>

namespace cinnabar::catalog {

struct StreamRules {
  // When XREADGROUP, XCLAIM and XAUTOCLAIM make a consumer that is not there, and note that it was seen.
  enum class Seen : uint8_t { kWhenServed, kAlways } consumer_seen;
  // Whether XINFO tells when a consumer got something last.
  enum class Activity : uint8_t { kHidden, kShown } activity;
  // What a blocked XREADGROUP answers when its key or group has gone: a text of its own, or what the command
  // would answer if it were sent now.
  enum class Gone : uint8_t { kOwnText, kAsIfSentNow } gone;
};

inline constexpr StreamRules kStreamRules70 = {StreamRules::Seen::kWhenServed, StreamRules::Activity::kHidden,
                                               StreamRules::Gone::kOwnText};
inline constexpr StreamRules kStreamRules72 = {StreamRules::Seen::kAlways, StreamRules::Activity::kShown,
                                               StreamRules::Gone::kAsIfSentNow};

}  // namespace cinnabar::catalog
