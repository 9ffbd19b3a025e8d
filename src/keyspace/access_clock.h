// The 24 bits in an entry that eviction reads: when it was last used (LRU) or how often (LFU).
//
// LRU: seconds, modulo 2^24 (194 days). LFU: 16 bits of minutes and an 8-bit logarithmic counter, whose
// chance to grow falls with its value (Morris, "Counting large numbers of events in small registers", CACM
// 1978), and which loses one for every `decay_minutes` without use.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/random.h"
#include "keyspace/entry.h"

namespace cinnabar::keyspace {

struct AccessPolicy {
  bool lfu = false;
  bool quiet = false;    // uses leave no trace (CLIENT NO-TOUCH)
  bool special = false;  // lfu or quiet: a use is more than a new LRU clock
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_minutes = 1;

  void SetLfu(bool on) {
    lfu = on;
    special = lfu || quiet;
  }
  void SetQuiet(bool on) {
    quiet = on;
    special = lfu || quiet;
  }
};

inline constexpr uint32_t kClockMask = (1u << 24) - 1;
inline constexpr uint8_t kLfuInitial = 5;

inline uint32_t LruClock(Millis now) {
  return static_cast<uint32_t>(now / 1000) & kClockMask;
}
inline uint32_t LfuMinutes(Millis now) {
  return static_cast<uint32_t>(now / 60000) & 0xffff;
}

// Seconds since the last use, by the LRU clock.
inline uint64_t IdleSeconds(uint32_t clock, Millis now) {
  return (LruClock(now) - clock) & kClockMask;
}

// The LFU counter as it is after decay.
uint8_t LfuCounter(uint32_t clock, Millis now, const AccessPolicy& policy);

// The clock bits of an entry that has just been made.
uint32_t FreshClock(Millis now, const AccessPolicy& policy);
// The clock bits after one more use.
uint32_t UsedClock(uint32_t clock, Millis now, const AccessPolicy& policy, Random& random);

}  // namespace cinnabar::keyspace
