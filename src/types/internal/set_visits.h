// The visiting methods of Set. Included by set.h alone.
#pragma once

#include <unordered_set>
#include <vector>

#include "types/set.h"

namespace cinnabar::types {
namespace set_internal {

// Whether the visit wants more.
template <typename Visit>
bool Go(Visit& visit, std::string_view member) {
  if constexpr (std::is_same_v<decltype(visit(member)), bool>) {
    return visit(member);
  } else {
    visit(member);
    return true;
  }
}

inline auto Below(Random& random) {
  return [&random](uint64_t n) { return random.Uniform(n); };
}

// Knuth's selection sampling (The Art of Computer Programming, vol. 2, 3.4.2, algorithm S): each of `left`
// members that are still to come is chosen with the chance that leaves every choice equally likely.
class Selection {
 public:
  Selection(uint64_t wanted, uint64_t left) : wanted_(wanted), left_(left) {}
  bool Choose(Random& random) {
    const bool chosen = random.Uniform(left_) < wanted_;
    --left_;
    wanted_ -= chosen;
    return chosen;
  }
  bool done() const { return wanted_ == 0; }

 private:
  uint64_t wanted_;
  uint64_t left_;
};

}  // namespace set_internal

template <typename Visit>
bool Set::VisitAt(std::string_view bytes, size_t place, Visit&& visit) {
  listpack::Digits scratch;
  return set_internal::Go(visit, IsIntset(bytes)
                                     ? listpack::Element{true, intset::At(bytes, place), {}}.Text(scratch)
                                     : listpack::Get(bytes, place).Text(scratch));
}

template <typename Visit>
void Set::ForEach(Visit&& visit) const {
  using set_internal::Go;
  if (!holder_->packed()) {
    table().ForEach([&](std::string_view member) { return Go(visit, member); });
    return;
  }
  const std::string_view bytes = packed();
  listpack::Digits scratch;
  if (IsIntset(bytes)) {
    const size_t count = intset::Count(bytes);
    for (size_t i = 0; i < count; ++i) {
      if (!Go(visit, listpack::Element{true, intset::At(bytes, i), {}}.Text(scratch))) return;
    }
    return;
  }
  for (size_t at = listpack::First(bytes); at != listpack::kEnd; at = listpack::Next(bytes, at)) {
    if (!Go(visit, listpack::Get(bytes, at).Text(scratch))) return;
  }
}

template <typename Visit>
uint64_t Set::Scan(uint64_t cursor, Visit&& visit) const {
  if (!holder_->packed()) return table().Scan(cursor, visit);
  ForEach([&](std::string_view member) { visit(member); });
  return 0;
}

template <typename Visit>
void Set::Pop(Random& random, Visit&& visit) {
  if (!holder_->packed()) {
    const MemberSlot& slot = table().Sample(set_internal::Below(random));
    visit(slot.member());
    table().EraseSampled(slot);
    return;
  }
  const size_t index = random.Uniform(size());
  const size_t place = PlaceOf(packed(), index);
  VisitAt(packed(), place, visit);
  if (IsIntset(packed())) {
    intset::EraseRange(*holder_, index, 1);
  } else {
    listpack::Erase(*holder_, place);
  }
}

template <typename Visit>
void Set::Draw(uint64_t count, Random& random, Visit&& visit) const {
  using set_internal::Go;
  if (!holder_->packed()) {
    while (count-- > 0) {
      if (!Go(visit, table().Sample(set_internal::Below(random)).member())) return;
    }
    return;
  }
  const std::string_view bytes = packed();
  const size_t size = this->size();
  if (count == 1 || IsIntset(bytes)) {
    while (count-- > 0) {
      if (!VisitAt(bytes, PlaceOf(bytes, random.Uniform(size)), visit)) return;
    }
    return;
  }
  std::vector<size_t> places;
  places.reserve(size);
  for (size_t at = listpack::First(bytes); at != listpack::kEnd; at = listpack::Next(bytes, at)) {
    places.push_back(at);
  }
  while (count-- > 0) {
    if (!VisitAt(bytes, places[random.Uniform(size)], visit)) return;
  }
}

template <typename Visit>
void Set::DrawDistinct(uint64_t count, Random& random, Visit&& visit) const {
  // Below this share of a table it is cheaper to draw and skip what was drawn already.
  constexpr uint64_t kFewShare = 8;
  if (!holder_->packed() && count * kFewShare < size()) {
    std::unordered_set<const MemberSlot*> drawn;
    drawn.reserve(count);
    while (drawn.size() < count) {
      const MemberSlot& slot = table().Sample(set_internal::Below(random));
      if (drawn.insert(&slot).second) visit(slot.member());
    }
    return;
  }
  if (count == 0) return;
  set_internal::Selection selection(count, size());
  ForEach([&](std::string_view member) {
    if (selection.Choose(random)) visit(member);
    return !selection.done();
  });
}

}  // namespace cinnabar::types
