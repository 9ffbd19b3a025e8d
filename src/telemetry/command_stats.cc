#include "telemetry/command_stats.h"

namespace cinnabar::telemetry {

CommandTotals& CommandTotals::operator+=(const CommandTotals& other) {
  calls += other.calls;
  ticks += other.ticks;
  rejected += other.rejected;
  failed += other.failed;
  return *this;
}

CommandTotals CommandStats::Read(size_t command) const {
  const Row& row = At(command);
  return {row.calls.Get(), row.ticks.Get(), row.rejected.Get(), row.failed.Get()};
}

void CommandStats::Reset() {
  for (size_t command = 0; command < size_; ++command) {
    Row& row = rows_[command];
    row.calls.Set(0);
    row.ticks.Set(0);
    row.rejected.Set(0);
    row.failed.Set(0);
  }
}

}  // namespace cinnabar::telemetry
