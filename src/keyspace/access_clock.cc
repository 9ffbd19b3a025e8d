#include "keyspace/access_clock.h"

#include <algorithm>

namespace cinnabar::keyspace {
namespace {

constexpr int kCounterBits = 8;
constexpr uint32_t kFineMask = (1u << kClockFineBits) - 1;
constexpr uint32_t kMinutesMask = 0xffff;

// 22 bits: minutes and their 64ths.
uint32_t LfuTicks(Millis now) {
  return static_cast<uint32_t>((now << kClockFineBits) / 60000) &
         (kMinutesMask << kClockFineBits | kFineMask);
}

uint32_t LfuTicksOf(uint32_t clock) {
  return clock >> (kCounterBits + kClockFineBits) << kClockFineBits | (clock & kFineMask);
}

// How far `now` is past `then`, both modulo `mask` + 1; a sixteenth of the circle counts as still to come.
uint32_t Elapsed(uint32_t then, uint32_t now, uint32_t mask) {
  const uint32_t elapsed = (now - then) & mask;
  return elapsed > mask - mask / 16 ? 0 : elapsed;
}

uint8_t StoredCounter(uint32_t clock) {
  return static_cast<uint8_t>(clock >> kClockFineBits);
}

}  // namespace

uint64_t IdleTicks(uint32_t clock, Millis now) {
  return Elapsed(clock, LruClock(now), kClockMask);
}

uint32_t ClockOfIdle(uint64_t idle_seconds, Millis now) {
  const auto idle = static_cast<uint32_t>(std::min<uint64_t>(idle_seconds, kClockSecondsMask));
  return (LruClock(now) - (idle << kClockFineBits)) & kClockMask;
}

uint32_t ClockOfFrequency(uint8_t counter, Millis now) {
  const uint32_t ticks = LfuTicks(now);
  return (ticks >> kClockFineBits) << (kCounterBits + kClockFineBits) | uint32_t{counter} << kClockFineBits |
         (ticks & kFineMask);
}

uint64_t LfuIdleTicks(uint32_t clock, Millis now) {
  return Elapsed(LfuTicksOf(clock), LfuTicks(now), kMinutesMask << kClockFineBits | kFineMask);
}

uint8_t LfuCounter(uint32_t clock, Millis now, const AccessPolicy& policy) {
  const uint8_t counter = StoredCounter(clock);
  if (policy.lfu_decay_minutes <= 0) return counter;
  const uint32_t minutes =
      Elapsed(LfuTicksOf(clock) >> kClockFineBits, LfuTicks(now) >> kClockFineBits, kMinutesMask);
  const auto periods = static_cast<uint64_t>(minutes / policy.lfu_decay_minutes);
  return static_cast<uint8_t>(counter - std::min<uint64_t>(periods, counter));
}

uint32_t FreshClock(Millis now, const AccessPolicy& policy) {
  return policy.lfu ? ClockOfFrequency(kLfuInitial, now) : LruClock(now);
}

uint32_t UsedClock(uint32_t clock, Millis now, const AccessPolicy& policy, Random& random) {
  if (!policy.lfu) return LruClock(now);
  uint8_t counter = LfuCounter(clock, now, policy);
  if (counter < 255) {
    const uint64_t above = counter > kLfuInitial ? counter - kLfuInitial : 0;
    const uint64_t odds = above * static_cast<uint64_t>(std::max<int64_t>(policy.lfu_log_factor, 0)) + 1;
    if (random.Uniform(odds) == 0) ++counter;
  }
  return ClockOfFrequency(counter, now);
}

}  // namespace cinnabar::keyspace
