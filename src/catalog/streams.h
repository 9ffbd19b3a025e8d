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
  // Whether XSETID may set an id below the greatest that was deleted.
  enum class BelowDeleted : uint8_t { kAllowed, kRefused } set_id_below_deleted;
};

inline constexpr StreamRules kStreamRules70 = {StreamRules::Seen::kWhenServed, StreamRules::Activity::kHidden,
                                               StreamRules::Gone::kOwnText,
                                               StreamRules::BelowDeleted::kAllowed};
inline constexpr StreamRules kStreamRules72 = {StreamRules::Seen::kAlways, StreamRules::Activity::kShown,
                                               StreamRules::Gone::kAsIfSentNow,
                                               StreamRules::BelowDeleted::kRefused};

}  // namespace cinnabar::catalog
