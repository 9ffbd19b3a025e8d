#include "keyspace/access_clock.h"

#include <algorithm>

namespace cinnabar::keyspace {

uint8_t LfuCounter(uint32_t clock, Millis now, const AccessPolicy& policy) {
  const uint8_t counter = clock & 0xff;
  if (policy.lfu_decay_minutes <= 0) return counter;
  const uint32_t minutes = (LfuMinutes(now) - (clock >> 8)) & 0xffff;
  const auto periods = static_cast<uint64_t>(minutes / policy.lfu_decay_minutes);
  return static_cast<uint8_t>(counter - std::min<uint64_t>(periods, counter));
}

uint32_t FreshClock(Millis now, const AccessPolicy& policy) {
  return policy.lfu ? LfuMinutes(now) << 8 | kLfuInitial : LruClock(now);
}

uint32_t UsedClock(uint32_t clock, Millis now, const AccessPolicy& policy, Random& random) {
  if (!policy.lfu) return LruClock(now);
  uint32_t counter = LfuCounter(clock, now, policy);
  if (counter < 255) {
    const uint64_t above = counter > kLfuInitial ? counter - kLfuInitial : 0;
    const uint64_t odds = above * static_cast<uint64_t>(std::max<int64_t>(policy.lfu_log_factor, 0)) + 1;
    if (random.Uniform(odds) == 0) ++counter;
  }
  return LfuMinutes(now) << 8 | counter;
}

}  // namespace cinnabar::keyspace
