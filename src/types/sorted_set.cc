#include "types/sorted_set.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace cinnabar::types {
namespace {

// The text of a score, as listpacks hold it.
class ScoreText {
 public:
  explicit ScoreText(double score) : size_(FormatDouble(score, text_)) {}
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[kDoubleTextBytes];
  size_t size_;
};

bool FitsPacked(size_t entries, size_t member_bytes, size_t total_bytes, const PackLimits& limits) {
  return static_cast<int64_t>(entries) <= limits.entries &&
         static_cast<int64_t>(member_bytes) <= limits.value_bytes && total_bytes <= kPackedBytesMax;
}

// Whether the rule lets a present member go from one score to another.
bool Allows(const AddRule& rule, double from, double to) {
  switch (rule.comparison) {
    case AddRule::Comparison::kOnlyGreater:
      return to > from;
    case AddRule::Comparison::kOnlyLess:
      return to < from;
    default:
      return true;
  }
}

// What Add has to do to a present member.
SortedSet::Added Decide(double old, double number, const AddRule& rule) {
  using Outcome = SortedSet::Outcome;
  if (rule.presence == AddRule::Presence::kOnlyNew) return {Outcome::kRefused, old};
  const double score = rule.meaning == AddRule::Meaning::kIncrement ? old + number : number;
  if (std::isnan(score)) return {Outcome::kNotANumber, old};
  if (!Allows(rule, old, score)) return {Outcome::kRefused, old};
  return {score == old ? Outcome::kSame : Outcome::kChanged, score};
}

// Where a bound of a range of members stands.
int CompareWithBound(std::string_view member, const MemberBound& bound) {
  if (bound.kind == MemberBound::Kind::kLowest) return 1;
  if (bound.kind == MemberBound::Kind::kHighest) return -1;
  return CompareMembers(member, bound.member);
}

std::unique_ptr<LargeSortedSet> Unpack(const SortedSet& packed) {
  auto large = std::make_unique<LargeSortedSet>();
  packed.ForEach([&](std::string_view member, double score) { large->Append(member, score); });
  return large;
}

}  // namespace

size_t SortedSet::size() const {
  return holder_.packed() ? listpack::Count(pack()) / 2 : large().size();
}

double SortedSet::ScoreAt(size_t position) const {
  return ScoreOf(listpack::Get(pack(), listpack::Next(pack(), position)));
}

size_t SortedSet::FindPacked(std::string_view member) const {
  const size_t first = listpack::First(pack());
  return first == listpack::kEnd ? first : listpack::Find(pack(), first, member, 1);
}

std::optional<double> SortedSet::Score(std::string_view member) const {
  if (holder_.packed()) {
    const size_t position = FindPacked(member);
    if (position == listpack::kEnd) return std::nullopt;
    return ScoreAt(position);
  }
  const ScoredMember* found = large().Find(member);
  if (found == nullptr) return std::nullopt;
  return found->score();
}

std::optional<SortedSet::Place> SortedSet::Find(std::string_view member) const {
  if (!holder_.packed()) {
    const ScoredMember* found = large().Find(member);
    if (found == nullptr) return std::nullopt;
    return Place{large().order().RankOf(*found), found->score()};
  }
  size_t rank = 0;
  for (size_t position = listpack::First(pack()); position != listpack::kEnd; ++rank) {
    const size_t score = listpack::Next(pack(), position);
    if (listpack::Equals(pack(), position, member)) return Place{rank, ScoreOf(listpack::Get(pack(), score))};
    position = listpack::Next(pack(), score);
  }
  return std::nullopt;
}

SortedSet::Added SortedSet::Add(std::string_view member, double number, const AddRule& rule,
                                const PackLimits& limits) {
  if (!holder_.packed()) return AddLarge(member, number, rule);
  const size_t position = FindPacked(member);
  if (position != listpack::kEnd) {
    const Added decided = Decide(ScoreAt(position), number, rule);
    if (decided.outcome == Outcome::kChanged) ChangePacked(position, member, decided.score);
    return decided;
  }
  if (rule.presence == AddRule::Presence::kOnlyPresent) return {Outcome::kRefused, 0};
  const size_t bytes = pack().size() + listpack::EncodedSize(member) + kDoubleTextBytes;
  if (!FitsPacked(size() + 1, member.size(), bytes, limits)) {
    holder_.BecomeObject(Unpack(*this));
    return AddLarge(member, number, rule);
  }
  InsertPacked(member, number);
  return {Outcome::kAdded, number};
}

SortedSet::Added SortedSet::AddLarge(std::string_view member, double number, const AddRule& rule) {
  ScoredMember* found = large().Find(member);
  if (found != nullptr) {
    const Added decided = Decide(found->score(), number, rule);
    if (decided.outcome == Outcome::kChanged) large().ChangeScore(*found, decided.score);
    return decided;
  }
  if (rule.presence == AddRule::Presence::kOnlyPresent) return {Outcome::kRefused, 0};
  large().Add(member, number);
  return {Outcome::kAdded, number};
}

void SortedSet::InsertPacked(std::string_view member, double score) {
  size_t position = listpack::First(pack());
  while (position != listpack::kEnd) {
    const size_t next = listpack::Next(pack(), position);
    const double other = ScoreOf(listpack::Get(pack(), next));
    if (other > score) break;
    if (other == score) {
      listpack::Digits digits;
      if (CompareMembers(listpack::Get(pack(), position).Text(digits), member) > 0) break;
    }
    position = listpack::Next(pack(), next);
  }
  listpack::InsertPair(holder_, position, member, ScoreText(score).view());
}

// In place if the neighbours allow it.
void SortedSet::ChangePacked(size_t position, std::string_view member, double score) {
  const size_t score_position = listpack::Next(pack(), position);
  const size_t next = listpack::Next(pack(), score_position);
  const size_t previous = listpack::Previous(pack(), position);
  const bool stays = (previous == listpack::kEnd || ScoreOf(listpack::Get(pack(), previous)) < score) &&
                     (next == listpack::kEnd || score < ScoreAt(next));
  if (stays) {
    listpack::Replace(holder_, score_position, ScoreText(score).view());
    return;
  }
  listpack::Erase(holder_, position, 2);
  InsertPacked(member, score);
}

bool SortedSet::Erase(std::string_view member) {
  if (!holder_.packed()) return large().Erase(member);
  const size_t position = FindPacked(member);
  if (position == listpack::kEnd) return false;
  listpack::Erase(holder_, position, 2);
  return true;
}

void SortedSet::EraseRanks(const RankRange& range) {
  if (range.count == 0) return;
  if (!holder_.packed()) return large().EraseRanks(range.first, range.count);
  listpack::Erase(holder_, listpack::At(pack(), static_cast<int64_t>(range.first * 2)), range.count * 2);
}

// `is_below(position)` is asked from the lowest member on, then `is_within(position)`.
template <typename IsBelow, typename IsWithin>
RankRange SortedSet::PackedRanks(IsBelow&& is_below, IsWithin&& is_within) const {
  RankRange range;
  auto step = [&](size_t position) { return listpack::Next(pack(), listpack::Next(pack(), position)); };
  size_t position = listpack::First(pack());
  for (; position != listpack::kEnd && is_below(position); position = step(position)) ++range.first;
  for (; position != listpack::kEnd && is_within(position); position = step(position)) ++range.count;
  return range;
}

RankRange SortedSet::RanksOf(const ScoreRange& range) const {
  if (holder_.packed()) {
    return PackedRanks(
        [&](size_t at) { return range.min_excluded ? ScoreAt(at) <= range.min : ScoreAt(at) < range.min; },
        [&](size_t at) { return range.max_excluded ? ScoreAt(at) < range.max : ScoreAt(at) <= range.max; });
  }
  const LargeSortedSet::Tree& order = large().order();
  const size_t first = order.CountBefore(ScoreProbe{range.min, range.min_excluded});
  const size_t end = order.CountBefore(ScoreProbe{range.max, !range.max_excluded});
  return {first, end > first ? end - first : 0};
}

RankRange SortedSet::RanksOf(const MemberRange& range) const {
  if (holder_.packed()) {
    auto compare = [&](size_t at, const MemberBound& bound) {
      listpack::Digits digits;
      return CompareWithBound(listpack::Get(pack(), at).Text(digits), bound);
    };
    return PackedRanks([&](size_t at) { return compare(at, range.min) < (range.min.excluded ? 1 : 0); },
                       [&](size_t at) { return compare(at, range.max) < (range.max.excluded ? 0 : 1); });
  }
  auto count_before = [&](const MemberBound& bound, bool behind_equal) -> size_t {
    if (bound.kind == MemberBound::Kind::kLowest) return 0;
    if (bound.kind == MemberBound::Kind::kHighest) return size();
    return large().order().CountBefore(MemberProbe{bound.member, behind_equal});
  };
  const size_t first = count_before(range.min, range.min.excluded);
  const size_t end = count_before(range.max, !range.max.excluded);
  return {first, end > first ? end - first : 0};
}

OwnHolder SortedSetBuilder::Finish(const PackLimits& limits, const Interlude& interlude) {
  size_t longest = 0;
  size_t bytes = SortedSet::kEmptyPacked.size();
  const bool few = static_cast<int64_t>(size()) <= limits.entries;
  if (few) {
    members_->ForEachUnordered([&](const ScoredMember& member) {
      longest = std::max(longest, member.member().size());
      bytes +=
          listpack::EncodedSize(member.member()) + listpack::EncodedSize(ScoreText(member.score()).view());
    });
  }
  members_->Order(interlude);
  if (!few || !FitsPacked(size(), longest, bytes, limits)) return OwnHolder(std::move(members_));
  HeapBytes pack(SortedSet::kEmptyPacked);
  members_->order().WalkUp(0, size(), [&](const ScoredMember& member) {
    listpack::InsertPair(pack, listpack::kEnd, member.member(), ScoreText(member.score()).view());
  });
  return OwnHolder(pack.view());
}

}  // namespace cinnabar::types
