#include "base/clock.h"

#include <time.h>

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace cinnabar {
namespace {

constexpr Nanos kFirstCalibration = 2 * kNanosPerMilli;

// A wall clock that is behind our own by less than this has not been set by anybody: it is calibration error.
constexpr Nanos kDriftMax = 50 * kNanosPerMilli;

// A Resync interval whose rate is off by more than 1/kRateTolerance says that the counter stopped or jumped
// (suspend, migration to another host), if the interval is long enough to tell.
constexpr int64_t kRateTolerance = 100;
constexpr Nanos kShortestJudgedInterval = 10 * kNanosPerMilli;

// After this long the measured span starts anew, so that the factor follows slow changes of frequency.
constexpr Nanos kLongestSpan = 600 * kNanosPerSecond;

Nanos ReadClock(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

bool TscIsInvariant() {
#if defined(__x86_64__)
  constexpr unsigned kPowerManagementLeaf = 0x80000007;
  constexpr unsigned kInvariantTsc = 1u << 8;
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(kPowerManagementLeaf, &eax, &ebx, &ecx, &edx) && (edx & kInvariantTsc);
#else
  return false;
#endif
}

uint64_t Factor(Nanos nanos, Ticks ticks, int shift) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(nanos) << shift) / ticks);
}

}  // namespace

Nanos SystemMonotonicNanos() {
  return ReadClock(CLOCK_MONOTONIC);
}
Nanos SystemWallNanos() {
  return ReadClock(CLOCK_REALTIME);
}

TickClock::TickClock(Source source) : uses_tsc_(source == Source::kBest && TscIsInvariant()) {
  origin_ = TakeSample();
  if (uses_tsc_) {
    Sample now = TakeSample();
    while (now.monotonic - origin_.monotonic < kFirstCalibration) now = TakeSample();
    if (now.ticks > origin_.ticks) {
      multiplier_ = Factor(now.monotonic - origin_.monotonic, now.ticks - origin_.ticks, kShift);
    } else {
      uses_tsc_ = false;  // the processor's promise does not hold here
      origin_ = TakeSample();
    }
  }
  last_ = TakeSample();
  base_ticks_ = last_.ticks;
  base_wall_ = floor_wall_ = last_.wall;
}

// Of several tries the one that was disturbed least: the counter read just before and just after.
TickClock::Sample TickClock::TakeSample() const {
  if (!uses_tsc_) {
    const Nanos monotonic = SystemMonotonicNanos();
    return {static_cast<Ticks>(monotonic), monotonic, SystemWallNanos()};
  }
  Sample best{};
  Ticks best_width = ~Ticks{0};
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Ticks before = Now();
    const Nanos monotonic = SystemMonotonicNanos();
    const Ticks after = Now();
    const Nanos wall = SystemWallNanos();
    const Ticks width = after - before;
    if (width >= best_width) continue;
    best_width = width;
    best = {before + width / 2, monotonic, wall};
  }
  return best;
}

void TickClock::Refine(const Sample& now) {
  const Nanos interval = now.monotonic - last_.monotonic;
  const Nanos interval_by_ticks = now.ticks > last_.ticks ? ToNanos(now.ticks - last_.ticks) : 0;
  const Nanos difference = std::max(interval, interval_by_ticks) - std::min(interval, interval_by_ticks);
  const bool jumped = now.ticks <= last_.ticks ||
                      (interval > kShortestJudgedInterval && difference > interval / kRateTolerance);
  if (jumped) {
    origin_ = now;
    return;
  }
  const Nanos span = now.monotonic - origin_.monotonic;
  if (span < kFirstCalibration) return;
  multiplier_ = Factor(span, now.ticks - origin_.ticks, kShift);
  if (span > kLongestSpan) origin_ = last_;
}

void TickClock::Resync() {
  const Sample now = TakeSample();
  const Nanos handed_out = WallNanos(now.ticks);
  if (uses_tsc_) Refine(now);
  base_ticks_ = now.ticks;
  base_wall_ = now.wall;
  const bool drifted = handed_out > now.wall && handed_out - now.wall < kDriftMax;
  floor_wall_ = drifted ? handed_out : now.wall;
  last_ = now;
}

Ticks TickClock::ToTicks(Nanos nanos) const {
  if (nanos <= 0) return 0;
  const auto scaled = (static_cast<unsigned __int128>(nanos) << kShift) + multiplier_ - 1;
  return static_cast<Ticks>(scaled / multiplier_);
}

}  // namespace cinnabar
