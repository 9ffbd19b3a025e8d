#include "commands/geo/matches.h"

#include <algorithm>
#include <cmath>

#include "types/sorted_set.h"

namespace cinnabar::commands {
namespace {

using geohash::Area;
using geohash::Cell;
using types::SortedSet;

// Which of two stands in front of the other; equal distances leave the order in which they were found.
struct InFront {
  Nearness order;
  bool operator()(const Match& a, const Match& b) const {
    if (a.distance == b.distance || order == Nearness::kUnordered) return a.found < b.found;
    return order == Nearness::kNearestFirst ? a.distance < b.distance : a.distance > b.distance;
  }
};

}  // namespace

void MatchList::Append(std::string_view name, double score, double distance) {
  matches_.push_back({.distance = distance,
                      .score = score,
                      .found = matches_.size(),
                      .name_at = names_.size(),
                      .name_size = name.size()});
  names_.append(name);
}

// The walk over a large sorted set.
class MatchList::Walk {
 public:
  Walk(MatchList& list, const SortedSet& set, const Area& area, const Selection& selection)
      : list_(list), set_(set), area_(area), selection_(selection), in_front_{selection.order} {}

  // Looks at the members of a cell. After some in vain it goes on where the area is touched again.
  void Visit(const Cell& cell) {
    const double end = geohash::ScoreOf(cell.first + cell.size());
    double from = geohash::ScoreOf(cell.first);
    while (!done()) {
      double last = end;
      size_t in_vain = 0;
      set_.ForEachFrom(from, [&](std::string_view member, double score) {
        if (score >= end) return false;
        if (Offer(member, score)) {
          in_vain = 0;
          return !done();
        }
        last = score;
        return ++in_vain < kInVainMax;
      });
      if (in_vain < kInVainMax) return;
      // Scores between the geohashes, and beyond the whole numbers of a double, must not lead back.
      const double behind = std::nextafter(last, end);
      const auto next = area_.NextIn(cell, geohash::HashOfScore(behind));
      if (!next) return;
      from = std::max(behind, geohash::ScoreOf(*next));
    }
  }

  // Enough was found.
  bool done() const { return selection_.any && list_.size() == selection_.count; }

 private:
  static constexpr size_t kInVainMax = 32;

  // Whether the member lies within the area.
  bool Offer(std::string_view member, double score) {
    const auto distance = area_.Find(geohash::HashOfScore(score));
    if (!distance) return false;
    if (list_.size() < selection_.count) {
      list_.Append(member, score, *distance);
      if (list_.size() == selection_.count && !selection_.any) {
        std::make_heap(list_.matches_.begin(), list_.matches_.end(), in_front_);
        found_ = list_.size();
      }
    } else if (!selection_.any) {
      Replace(member, score, *distance);
    }
    return true;
  }

  // Puts a match in the place of the hindmost, if it is in front of that. The name of that stays in the
  // buffer: there are not many, because the more were found, the fewer are better.
  void Replace(std::string_view member, double score, double distance) {
    std::vector<Match>& heap = list_.matches_;
    const Match match{.distance = distance,
                      .score = score,
                      .found = found_++,
                      .name_at = list_.names_.size(),
                      .name_size = member.size()};
    if (!in_front_(match, heap.front())) return;
    list_.names_.append(member);
    std::pop_heap(heap.begin(), heap.end(), in_front_);
    heap.back() = match;
    std::push_heap(heap.begin(), heap.end(), in_front_);
  }

  MatchList& list_;
  const SortedSet& set_;
  const Area& area_;
  const Selection& selection_;
  const InFront in_front_;
  size_t found_ = 0;  // since the list is full
};

// One pass over everything is cheaper than to look for the cells. What was found is put into their order.
void MatchList::FindPacked(keyspace::EntryHolder& holder, const Area& area) {
  SortedSet(holder).ForEach([&](std::string_view member, double score) {
    // Other scores are below or above all cells, though their bits may look like a place.
    constexpr double kScoresEnd = geohash::ScoreOf(uint64_t{1} << 54);
    if (!(score >= 0 && score < kScoresEnd)) return;
    if (const auto distance = area.Find(geohash::HashOfScore(score))) Append(member, score, *distance);
  });
  if (size() < 2) return;
  const geohash::CellList cells = area.Cover();
  auto cell_of = [&](const Match& match) {
    const uint64_t hash = geohash::HashOfScore(match.score);
    return std::find_if(cells.begin(), cells.end(),
                        [&](const Cell& cell) { return hash - cell.first < cell.size(); }) -
           cells.begin();
  };
  std::stable_sort(matches_.begin(), matches_.end(),
                   [&](const Match& a, const Match& b) { return cell_of(a) < cell_of(b); });
  for (size_t i = 0; i < size(); ++i) matches_[i].found = i;
}

void MatchList::Find(keyspace::EntryHolder& holder, const Area& area, const Selection& selection) {
  if (holder.packed()) {
    FindPacked(holder, area);
    if (selection.any && size() > selection.count) matches_.resize(selection.count);
  } else {
    const SortedSet set(holder);
    Walk walk(*this, set, area, selection);
    for (const Cell& cell : area.Cover()) {
      if (walk.done()) break;
      walk.Visit(cell);
    }
  }
  if (selection.order != Nearness::kUnordered) {
    std::sort(matches_.begin(), matches_.end(), InFront{selection.order});
  }
  if (size() > selection.count) matches_.resize(selection.count);
}

}  // namespace cinnabar::commands
