#include "base/clock.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace cinnabar {
namespace {

void SpinFor(Nanos nanos) {
  const Nanos end = SystemMonotonicNanos() + nanos;
  while (SystemMonotonicNanos() < end) {
  }
}

class TickClockTest : public ::testing::TestWithParam<TickClock::Source> {};

TEST_P(TickClockTest, MeasuresASpanAsTheSystemDoes) {
  TickClock clock(GetParam());
  const Nanos system_begin = SystemMonotonicNanos();
  const Ticks begin = clock.Now();
  SpinFor(20 * kNanosPerMilli);
  const Ticks end = clock.Now();
  const Nanos system_span = SystemMonotonicNanos() - system_begin;
  // The inner span is no longer than the outer one (but for calibration), and at least what was waited for.
  EXPECT_LT(clock.ToNanos(end - begin), system_span + system_span / 50);
  EXPECT_GT(clock.ToNanos(end - begin), 19 * kNanosPerMilli);
}

TEST_P(TickClockTest, WallTimeIsTheSystemsAndNeverRunsBackwards) {
  TickClock clock(GetParam());
  Millis last = 0;
  for (int round = 0; round < 20; ++round) {
    const Millis wall = clock.WallMillis();
    EXPECT_GE(wall, last);
    EXPECT_LT(std::abs(wall - SystemWallNanos() / kNanosPerMilli), 1000);
    last = wall;
    SpinFor(kNanosPerMilli);
    const Nanos before = clock.WallNanos(clock.Now());
    clock.Resync();
    EXPECT_GE(clock.WallNanos(clock.Now()), before);
  }
}

TEST_P(TickClockTest, TicksAndNanosConvertBothWays) {
  TickClock clock(GetParam());
  for (Nanos nanos : {Nanos{0}, Nanos{1}, Nanos{1000}, kNanosPerSecond, 86400 * kNanosPerSecond}) {
    const Nanos back = clock.ToNanos(clock.ToTicks(nanos));
    EXPECT_GE(back + 1, nanos);
    EXPECT_LE(back, nanos + 2);
  }
}

TEST_P(TickClockTest, AReadingFromBeforeTheResyncStillHasAWallTime) {
  TickClock clock(GetParam());
  const Ticks old = clock.Now();
  SpinFor(3 * kNanosPerMilli);
  clock.Resync();
  EXPECT_LT(std::abs(clock.WallMillis(old) - clock.WallMillis()), 1000);
}

INSTANTIATE_TEST_SUITE_P(Sources, TickClockTest,
                         ::testing::Values(TickClock::Source::kBest, TickClock::Source::kMonotonic));

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock(5000);
  const Nanos begin = clock.MonotonicNanos();
  EXPECT_EQ(clock.WallMillis(), 5000);
  clock.AdvanceMillis(250);
  EXPECT_EQ(clock.WallMillis(), 5250);
  EXPECT_EQ(clock.MonotonicNanos() - begin, 250 * kNanosPerMilli);
  clock.SetWallMillis(10);
  EXPECT_EQ(clock.WallMillis(), 10);
  EXPECT_EQ(clock.MonotonicNanos() - begin, 250 * kNanosPerMilli);
}

}  // namespace
}  // namespace cinnabar
