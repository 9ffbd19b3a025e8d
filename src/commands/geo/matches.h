// Searching a sorted set for the members in an area.
//
// The cells that cover the area are walked one after the other, in the order of their geohashes. Where that
// order leaves the area, the walk skips to where it comes back, so that few members are looked at in vain,
// however coarse the cells are. The order of what is found does not depend on that.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "keyspace/entry_holder.h"
#include "structures/geohash.h"

namespace cinnabar::commands {

enum class Nearness : uint8_t { kUnordered, kNearestFirst, kFarthestFirst };

struct Selection {
  static constexpr size_t kAll = std::numeric_limits<size_t>::max();
  Nearness order = Nearness::kUnordered;
  size_t count = kAll;
  // Takes the first `count` found, and looks for no others.
  bool any = false;
};

struct Match {
  double distance;  // metres
  double score;
  size_t found;  // how many were found before
  size_t name_at;
  size_t name_size;
};

class MatchList {
 public:
  size_t size() const { return matches_.size(); }
  const std::vector<Match>& matches() const { return matches_; }
  std::string_view NameOf(const Match& match) const {
    return std::string_view(names_).substr(match.name_at, match.name_size);
  }

  // Finds and orders. REQUIRES: the list is empty; the holder has a sorted set; selection.count > 0.
  void Find(keyspace::EntryHolder& holder, const geohash::Area& area, const Selection& selection);

 private:
  class Walk;
  void FindPacked(keyspace::EntryHolder& holder, const geohash::Area& area);
  void Append(std::string_view name, double score, double distance);

  std::vector<Match> matches_;
  std::string names_;
};

}  // namespace cinnabar::commands
