// The sorted sets and sets that unions, intersections and differences read. In a set every score is 1.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "commands/zset/sorted_sets.h"
#include "types/set.h"

namespace cinnabar::commands {

class Source {
 public:
  // False when the key holds something else; that has been answered. An absent key is an empty source.
  bool Open(dispatch::Call& call, const keyspace::Key& key);

  size_t size() const;
  std::optional<double> Score(std::string_view member) const;
  // Calls `visit(member, score)` until it answers false.
  template <typename Visit>
  void ForEachWhile(Visit&& visit) const;
  template <typename Visit>
  void ForEach(Visit&& visit) const;

  // The score as it counts in the result.
  double Weighted(double score) const;
  void set_weight(double weight) { weight_ = weight; }

 private:
  static constexpr double kScoreInSets = 1;
  // How many members are visited between two looks at the answers of `visit`.
  static constexpr size_t kSlice = 256;

  bool is_set() const { return holder_.entry()->type() == types::Type::kSet; }
  types::Set AsSet() const { return types::Set(holder_); }
  types::SortedSet AsSortedSet() const { return types::SortedSet(holder_); }

  mutable keyspace::EntryHolder holder_;  // the facades want to write, if they must
  double weight_ = 1;
};

class Sources {
 public:
  // The keys of the arguments [first, first + count).
  bool Open(dispatch::Call& call, size_t first, size_t count);

  size_t size() const { return all_.size(); }
  Source& operator[](size_t index) { return *all_[index]; }
  void SortBySize();
  // The first one, and those behind it.
  const Source& first() const { return *all_[0]; }
  std::span<Source* const> others() const { return std::span(all_).subspan(1); }
  std::span<Source* const> all() const { return all_; }

 private:
  std::unique_ptr<Source[]> storage_;
  std::vector<Source*> all_;
};

template <typename Visit>
void Source::ForEach(Visit&& visit) const {
  if (!holder_.exists()) return;
  if (is_set()) {
    AsSet().ForEach([&](std::string_view member) { visit(member, kScoreInSets); });
  } else {
    AsSortedSet().ForEach(visit);
  }
}

template <typename Visit>
void Source::ForEachWhile(Visit&& visit) const {
  if (!holder_.exists()) return;
  if (is_set()) return AsSet().ForEach([&](std::string_view member) { return visit(member, kScoreInSets); });
  const types::SortedSet set = AsSortedSet();
  bool more = true;
  for (size_t rank = 0; more && rank < set.size(); rank += kSlice) {
    set.ForEachInRanks({rank, std::min(kSlice, set.size() - rank)}, types::Direction::kUp,
                       [&](std::string_view member, double score) { more = more && visit(member, score); });
  }
}

}  // namespace cinnabar::commands
