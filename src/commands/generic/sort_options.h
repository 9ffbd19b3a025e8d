// What a SORT asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/args.h"

namespace cinnabar::commands {

// A BY or GET pattern: `weight_*` names a key, `object_*->field` the field of a hash. An element takes the
// place of the first star. Without a star nothing is looked up.
struct SortPattern {
  explicit SortPattern(std::string_view text);

  bool self = false;        // "#": the element itself
  bool has_place = false;   // there is a star
  std::string_view before;  // the name before the star, and behind it
  std::string_view after;
  std::string_view field;  // empty: the key is a string
};

struct SortOptions {
  bool by_given = false;
  SortPattern by{""};
  std::vector<SortPattern> get;
  bool descending = false;
  bool alphabetic = false;
  int64_t offset = 0;
  int64_t count = -1;  // < 0: all
  size_t store = 0;    // the argument that names the destination; 0: none
};

enum class SortForm : uint8_t { kMayStore, kReadOnly };

SortOptions ParseSortOptions(dispatch::Args& args, SortForm form);

// For the dispatcher. The destination that the last STORE names.
size_t SortDestination(std::span<const std::string_view> argv);
// Whether patterns name keys.
bool SortReadsOtherKeys(std::span<const std::string_view> argv);

}  // namespace cinnabar::commands
