// Packed collections that come from outside: checks that go beyond the layout, and old layouts made new.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "persistence/rdb_reader.h"
#include "structures/listpack.h"
#include "structures/listpack_checker.h"
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

// Elements of a listpack that have been seen: an open hash table of their positions.
class SeenElements {
 public:
  // For no more than `count` of them.
  SeenElements(std::string_view pack, size_t count);
  // False when an equal one was added before: 12 and "12" are equal.
  bool Add(const listpack::Element& element, size_t position);

 private:
  struct Slot {
    uint32_t position;  // 0: free; nothing stands at the beginning of a listpack
    uint32_t tag;
  };
  static constexpr size_t kFewSlots = 256;

  bool AddCanonical(const listpack::Element& element, size_t position);

  std::string_view pack_;
  size_t mask_;
  Slot* slots_;
  Slot few_[kFewSlots];
  std::vector<Slot> many_;
};

// What was found on the way through a packed collection.
struct PackFacts {
  size_t groups = 0;
  size_t longest = 0;  // of the elements that count, as text
};

// The length of an element as text.
size_t TextBytes(const listpack::Element& element);

// Goes once through bytes that have to be a listpack of groups of kGroup elements, the first of which differ.
// Shows each group to `visit`, which says false when it has left a fault in the reader. Of each group the
// first kMeasured elements count for the length. False after a fault.
template <size_t kGroup, size_t kMeasured, typename Visit>
bool CheckGroups(RdbReader& in, std::string_view pack, const PackFaults& faults, PackFacts& facts,
                 Visit&& visit) {
  if (in.failed()) return false;
  listpack::Checker checker(pack);
  const bool counted = checker.told_count() != listpack::Checker::kUnknown;
  if (!counted && !listpack::Valid(pack)) {
    in.FailCorrupt(faults.broken);
    return false;
  }
  // An element takes two bytes at least: what claims more is found out behind the last.
  const size_t count_max = counted ? std::min(checker.told_count(), pack.size() / 2) : listpack::Count(pack);
  SeenElements seen(pack, count_max / kGroup + 1);
  listpack::Element group[kGroup];
  size_t index = 0;
  while (checker.count() < count_max && checker.Next(group[index])) {
    if (index < kMeasured) facts.longest = std::max(facts.longest, TextBytes(group[index]));
    if (index == 0 && !seen.Add(group[0], checker.position())) in.FailCorrupt(faults.twice);
    if (++index < kGroup) continue;
    index = 0;
    ++facts.groups;
    if (in.failed() || !visit(group)) return false;
  }
  listpack::Element more;
  if (!checker.Next(more) && !checker.intact()) in.FailCorrupt(faults.broken);
  if (checker.count() > count_max) in.FailCorrupt(faults.broken);
  if (checker.count() == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
  if (index != 0) in.FailCorrupt(faults.odd_count);
  return !in.failed();
}
template <size_t kGroup, size_t kMeasured>
bool CheckGroups(RdbReader& in, std::string_view pack, const PackFaults& faults, PackFacts& facts) {
  return CheckGroups<kGroup, kMeasured>(in, pack, faults, facts,
                                        [](const listpack::Element*) { return true; });
}

// Whether a packed collection may stay as it is.
inline bool FitsPacked(std::string_view pack, const PackFacts& facts, const types::PackLimits& limits) {
  return pack.size() <= types::kPackedBytesMax && static_cast<int64_t>(facts.groups) <= limits.entries &&
         static_cast<int64_t>(facts.longest) <= limits.value_bytes;
}

}  // namespace cinnabar::persistence::internal
