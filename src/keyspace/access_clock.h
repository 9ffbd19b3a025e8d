// The 30 bits in an entry that eviction reads: when it was last used (LRU) or how often (LFU).
//
//   LRU: | seconds (24) | 1/64 s (6) |            modulo 2^24 seconds, 194 days
//   LFU: | minutes (16) | counter (8) | 1/64 min (6) |
//
// The upper 24 bits are what other servers of this kind keep. The fine part tells keys apart that are used
// faster than the clock ticks: a small cache turns over in less than a second, and of keys that are used
// equally often the one that has rested longer goes.
//
// The counter is logarithmic: its chance to grow falls with its value (Morris, "Counting large numbers of
// events in small registers", CACM 1978), and it loses one for every `decay_minutes` without use.
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

inline constexpr int kClockFineBits = 6;
inline constexpr uint32_t kClockMask = (1u << 30) - 1;
inline constexpr uint32_t kClockSecondsMask = (1u << 24) - 1;
inline constexpr uint8_t kLfuInitial = 5;

inline uint32_t LruClock(Millis now) {
  return static_cast<uint32_t>((now << kClockFineBits) / 1000) & kClockMask;
}
// The LRU clock as INFO shows it.
inline uint32_t LruClockSeconds(Millis now) {
  return LruClock(now) >> kClockFineBits;
}

// 1/64 seconds since the last use, by the LRU clock. None when the clock is a little ahead: cores look at the
// time one after the other.
uint64_t IdleTicks(uint32_t clock, Millis now);
inline uint64_t IdleSeconds(uint32_t clock, Millis now) {
  return IdleTicks(clock, now) >> kClockFineBits;
}
// The LRU clock of an entry that has not been used for so long.
uint32_t ClockOfIdle(uint64_t idle_seconds, Millis now);

// The LFU counter as it is after decay.
uint8_t LfuCounter(uint32_t clock, Millis now, const AccessPolicy& policy);
// 1/64 minutes since the last use, by the LFU clock.
uint64_t LfuIdleTicks(uint32_t clock, Millis now);
// The LFU clock of an entry whose counter is this, used now.
uint32_t ClockOfFrequency(uint8_t counter, Millis now);

// The clock bits of an entry that has just been made.
uint32_t FreshClock(Millis now, const AccessPolicy& policy);
// The clock bits after one more use.
uint32_t UsedClock(uint32_t clock, Millis now, const AccessPolicy& policy, Random& random);

}  // namespace cinnabar::keyspace
