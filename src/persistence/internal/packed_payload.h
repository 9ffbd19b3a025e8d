// Packed collections that come from outside: checks that go beyond the layout, and old layouts made new.
#pragma once

#include <cstddef>
#include <string_view>

#include "persistence/rdb_reader.h"
#include "structures/listpack.h"
#include "types/holder.h"

namespace cinnabar::persistence::internal {

inline constexpr std::string_view kTwice = "an element that is there twice";
inline constexpr std::string_view kNothingInside = "a collection without elements";

// What may be wrong with a packed collection, in words that the logs of Redis have made known.
struct PackFaults {
  std::string_view broken;
  std::string_view twice = {};
  std::string_view odd_count = {};
};

// A string that has to be a listpack. Empty after a fault.
std::string_view ReadListpack(RdbReader& in, RdbRoom& room, const PackFaults& faults);
// A string that has to be a ziplist, as a listpack. Empty after a fault.
std::string_view ReadZiplist(RdbReader& in, RdbRoom& room, HeapBytes& pack, const PackFaults& faults);

// A count of elements that is not zero, each of at least so many bytes.
uint64_t ReadElementCount(RdbReader& in, uint64_t least_bytes);

// Checks that the elements come in groups of `group`, that there are any, and that the first ones of the
// groups differ. Leaves the fault in the reader.
bool CheckGroups(RdbReader& in, std::string_view pack, size_t group, const PackFaults& faults);

// Whether a packed collection of so many entries may stay as it is. Every `every`th element has to keep the
// limit of length.
bool FitsPacked(std::string_view pack, size_t entries, const types::PackLimits& limits, size_t every = 1);

}  // namespace cinnabar::persistence::internal
