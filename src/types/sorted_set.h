// SortedSet: members with scores, in the order of (score, member bytes), wherever and however they are kept.
//
//   packed:  a listpack of member, score, member, score ... in ascending order     (listpack)
//   large:   LargeSortedSet                                                        (skiplist)
//
// Everything that selects members (by score, by name, popping) comes down to a range of ranks:
//
//   SortedSet scores(holder);
//   RankRange range = scores.RanksOf(ScoreRange{.min = 1, .max = 5});
//   scores.ForEachInRanks(range, Direction::kUp, [](std::string_view member, double score) { ... });
//
// Scores are never NaN. Members are any bytes. Costs are those of RankedTree when large; O(n) when packed,
// with n within the limits of the packed form. Not thread-safe: the caller holds the key's shard.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "base/numbers.h"
#include "structures/listpack.h"
#include "types/holder.h"
#include "types/interlude.h"
#include "types/large_sorted_set.h"

namespace cinnabar::types {

inline constexpr double kInfiniteScore = std::numeric_limits<double>::infinity();

struct ScoreRange {
  double min = -kInfiniteScore;
  double max = kInfiniteScore;
  bool min_excluded = false;
  bool max_excluded = false;
};

// A bound of a range of members, which is defined while all scores are equal.
struct MemberBound {
  enum class Kind : uint8_t { kLowest, kMember, kHighest } kind = Kind::kMember;
  bool excluded = false;
  std::string_view member = {};
};
struct MemberRange {
  MemberBound min = {.kind = MemberBound::Kind::kLowest};
  MemberBound max = {.kind = MemberBound::Kind::kHighest};
};

// The ranks from `first` on, 0 being the lowest member.
struct RankRange {
  size_t first = 0;
  size_t count = 0;
};

enum class Direction : uint8_t { kUp, kDown };

// What Add does with a member that is there, or is not.
struct AddRule {
  enum class Presence : uint8_t { kAny, kOnlyNew, kOnlyPresent } presence = Presence::kAny;
  // A present member is changed only if its score grows (falls).
  enum class Comparison : uint8_t { kAny, kOnlyGreater, kOnlyLess } comparison = Comparison::kAny;
  // The number is the score, or is added to it.
  enum class Meaning : uint8_t { kScore, kIncrement } meaning = Meaning::kScore;
};

class SortedSet {
 public:
  static constexpr std::string_view kEmptyPacked = listpack::kEmpty;

  explicit SortedSet(Holder& holder) : holder_(holder) {}

  size_t size() const;
  std::optional<double> Score(std::string_view member) const;
  struct Place {
    size_t rank;
    double score;
  };
  std::optional<Place> Find(std::string_view member) const;

  enum class Outcome : uint8_t {
    kAdded,
    kChanged,
    kSame,        // it has this score already
    kRefused,     // by the rule
    kNotANumber,  // infinity plus minus infinity; nothing was changed
  };
  struct Added {
    Outcome outcome;
    double score;  // of the member now; undefined for kRefused and kNotANumber
  };
  Added Add(std::string_view member, double number, const AddRule& rule, const PackLimits& limits);
  // False if it was not there.
  bool Erase(std::string_view member);
  // REQUIRES: the range lies within.
  void EraseRanks(const RankRange& range);

  RankRange RanksOf(const ScoreRange& range) const;
  RankRange RanksOf(const MemberRange& range) const;
  RankRange AllRanks() const { return {0, size()}; }

  // `visit(std::string_view member, double score)`; the member is valid during the visit. It may not change
  // the set. REQUIRES: the range lies within.
  template <typename Visit>
  void ForEachInRanks(const RankRange& range, Direction direction, Visit&& visit) const;
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    ForEachInRanks(AllRanks(), Direction::kUp, visit);
  }
  template <typename Visit>
  void ForEachInScoreRange(const ScoreRange& range, Visit&& visit) const {
    ForEachInRanks(RanksOf(range), Direction::kUp, visit);
  }

  // The members with scores from `least` on, upwards, as long as `visit(member, score)` returns true.
  template <typename Visit>
  void ForEachFrom(double least, Visit&& visit) const {
    if (!holder_.packed()) {
      return large().order().WalkUpFrom(ScoreProbe{least, false}, [&](const ScoredMember& member) {
        return visit(member.member(), member.score());
      });
    }
    bool wanted = true;
    ForEachInScoreRange({.min = least}, [&](std::string_view member, double score) {
      if (wanted) wanted = visit(member, score);
    });
  }

  // Some members, and the cursor to go on from; 0 = all seen. Packed: all at once. `visit` as above.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    if (!holder_.packed()) {
      return large().Scan(cursor,
                          [&](const ScoredMember& member) { visit(member.member(), member.score()); });
    }
    ForEach(visit);
    return 0;
  }

 private:
  LargeSortedSet& large() const { return static_cast<LargeSortedSet&>(*holder_.object()); }
  std::string_view pack() const { return holder_.view(); }
  // Of the pair whose member is at `position`.
  double ScoreAt(size_t position) const;
  size_t FindPacked(std::string_view member) const;
  Added AddLarge(std::string_view member, double number, const AddRule& rule);
  void InsertPacked(std::string_view member, double score);
  void ChangePacked(size_t position, std::string_view member, double score);
  template <typename IsBelow, typename IsWithin>
  RankRange PackedRanks(IsBelow&& is_below, IsWithin&& is_within) const;
  template <typename Visit>
  void ForEachPacked(const RankRange& range, Direction direction, Visit& visit) const;

  Holder& holder_;
};

// Collects members in any order and makes a sorted set of them (results of STORE commands, values from
// files).
class SortedSetBuilder {
 public:
  SortedSetBuilder() : members_(std::make_unique<LargeSortedSet>()) {}

  size_t size() const { return members_->size(); }
  // REQUIRES: the member was not added before.
  void Add(std::string_view member, double score) { members_->AddUnordered(member, score); }
  // `combine(double old)` gives the new score if the member was added before.
  template <typename Combine>
  void AddOrCombine(std::string_view member, double score, Combine&& combine) {
    ScoredMember* found = members_->Find(member);
    if (found == nullptr) {
      Add(member, score);
    } else {
      found->set_score(combine(found->score()));
    }
  }
  // Packed if the limits allow it. The builder is spent then.
  OwnHolder Finish(const PackLimits& limits, const Interlude& interlude = {});

 private:
  std::unique_ptr<LargeSortedSet> members_;
};

// The score that a listpack element tells.
inline double ScoreOf(const listpack::Element& element) {
  if (element.is_integer) return static_cast<double>(element.integer);
  return ParseDouble(element.bytes).value_or(0);
}

template <typename Visit>
void SortedSet::ForEachInRanks(const RankRange& range, Direction direction, Visit&& visit) const {
  if (range.count == 0) return;
  if (holder_.packed()) return ForEachPacked(range, direction, visit);
  auto visit_member = [&](const ScoredMember& member) { visit(member.member(), member.score()); };
  if (direction == Direction::kUp) {
    large().order().WalkUp(range.first, range.count, visit_member);
  } else {
    large().order().WalkDown(range.first + range.count - 1, range.count, visit_member);
  }
}

template <typename Visit>
void SortedSet::ForEachPacked(const RankRange& range, Direction direction, Visit& visit) const {
  const bool up = direction == Direction::kUp;
  const size_t first = up ? range.first : range.first + range.count - 1;
  size_t position = listpack::At(pack(), static_cast<int64_t>(first * 2));
  for (size_t left = range.count; left > 0; --left) {
    listpack::Digits digits;
    const size_t score = listpack::Next(pack(), position);
    visit(listpack::Get(pack(), position).Text(digits), ScoreOf(listpack::Get(pack(), score)));
    if (left == 1) return;
    position =
        up ? listpack::Next(pack(), score) : listpack::Previous(pack(), listpack::Previous(pack(), position));
  }
}

}  // namespace cinnabar::types
