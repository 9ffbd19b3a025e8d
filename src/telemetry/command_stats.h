// What each command has cost, one table per core thread, indexed by the command's number in the registry.
// The owner core counts; INFO reads all cores' tables and adds them up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "base/clock.h"
#include "telemetry/counter.h"

namespace cinnabar::telemetry {

struct CommandTotals {
  uint64_t calls = 0;
  Ticks ticks = 0;
  uint64_t rejected = 0;  // stopped by a gate before it ran
  uint64_t failed = 0;    // ran and answered with an error

  CommandTotals& operator+=(const CommandTotals& other);
  bool Untouched() const { return calls == 0 && rejected == 0 && failed == 0; }
};

class CommandStats {
 public:
  explicit CommandStats(size_t commands) : size_(commands), rows_(new Row[commands]) {}

  // Owner thread.
  void AddCall(size_t command, Ticks ticks) {
    Row& row = At(command);
    row.calls.Add();
    row.ticks.Add(ticks);
  }
  void AddRejected(size_t command) { At(command).rejected.Add(); }
  void AddFailed(size_t command) { At(command).failed.Add(); }

  // Any thread.
  CommandTotals Read(size_t command) const;
  size_t size() const { return size_; }

  // The owner thread, or anybody while the owner stands still.
  void Reset();

 private:
  struct Row {
    Counter calls;
    Counter ticks;
    Counter rejected;
    Counter failed;
  };

  Row& At(size_t command) const {
    DCHECK(command < size_);
    return rows_[command];
  }

  size_t size_;
  std::unique_ptr<Row[]> rows_;
};

}  // namespace cinnabar::telemetry
