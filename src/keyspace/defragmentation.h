// DefragmentationSweep: offers every block of memory of some tables to a Relocation, in slices.
//
// It walks through the buckets of one table after the other, in all databases. A value with many elements is
// noted by its name and comes after the rest of its table, step by step. Between two slices anything may
// change: the sweep keeps no address, only numbers and names, and may then leave a block out or offer it
// twice.
//
// Belongs to one core. Takes one shard at a time: REQUIRES that none is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/relocation.h"
#include "keyspace/keyspace.h"

namespace cinnabar::keyspace {

class DefragmentationSweep {
 public:
  // Sweeps the tables first, first + stride, first + 2 * stride ...
  DefragmentationSweep(Keyspace& keyspace, size_t first, size_t stride)
      : keyspace_(keyspace), first_(first), stride_(stride), table_(first) {}

  enum class Progress : uint8_t {
    kMore,
    kThrough,  // the next call begins a new sweep
  };
  // Works until the deadline, and a little longer: one bucket with values of up to `elements_at_once`
  // elements together, or a step of a larger one.
  Progress Run(Relocation& relocation, size_t elements_at_once, const TickClock& clock, Ticks deadline);

  // Keys of which at least one block was moved, and the others that were looked at.
  uint64_t keys_moved() const { return keys_moved_; }
  uint64_t keys_left() const { return keys_left_; }

 private:
  Progress SweepTable(Relocation& relocation, size_t elements_at_once, const TickClock& clock,
                      Ticks deadline);
  void SweepBucket(Table<Entry>& entries, Relocation& relocation, size_t elements_at_once);
  bool StepLargeValue(Table<Entry>& entries, Relocation& relocation);

  Keyspace& keyspace_;
  const size_t first_;
  const size_t stride_;
  int database_ = 0;
  size_t table_;
  uint64_t bucket_ = 0;
  std::vector<std::string> large_;  // names of values in this table that come later, the next one last
  RelocationCursor cursor_;         // in that one
  uint64_t keys_moved_ = 0;
  uint64_t keys_left_ = 0;
};

}  // namespace cinnabar::keyspace
