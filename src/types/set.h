// Set: the collection at a key whose type is set, whatever its form.
//
//   intset     integers only, at most set-max-intset-entries    packed, ascending
//   listpack   few and short members                            packed, in the order of arrival
//   hashtable  anything else                                    LargeSet
//
// A set only grows towards the larger form, as in Redis 7.2: an intset that meets a string becomes a listpack
// if that can hold it and one more, an intset with too many numbers and a listpack with too many or too long
// members become a table.
//
// Set is a view of a Holder and as short-lived; it allocates nothing itself. Members are byte strings; that
// some are kept as integers is not seen. Costs are O(1) for tables, O(size) for packed forms. Not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/hash_seed.h"
#include "base/random.h"
#include "structures/intset.h"
#include "structures/listpack.h"
#include "structures/string_set.h"
#include "types/encoding.h"
#include "types/holder.h"

namespace cinnabar::types {

// When a set changes its form (set-max-intset-entries, set-max-listpack-*).
struct SetLimits {
  int64_t intset_entries = 512;
  PackLimits listpack;
};

class LargeSet final : public Value {
 public:
  // `expected`: how many members are about to come; a wrong number costs time or memory, nothing else.
  explicit LargeSet(size_t expected = 0) : members(HashSeedFor(this)) { members.Reserve(expected); }

  Type type() const override { return Type::kSet; }
  std::string_view encoding() const override { return "hashtable"; }
  size_t memory(size_t samples) const override;
  size_t free_effort() const override { return members.size(); }
  std::unique_ptr<Value> Clone() const override;
  bool RelocateSome(Relocation& relocation, RelocationCursor& cursor) override;

  StringSet members;
};

class Set {
 public:
  // Forms of packed bytes: what a new set begins with. The cheapest for `first`, its first member.
  static std::string_view EmptyFor(std::string_view first, const SetLimits& limits);

  // REQUIRES: the holder is a set's.
  explicit Set(Holder& holder) : holder_(&holder) {}

  size_t size() const;
  bool Contains(std::string_view member) const;
  // False when the member was there already.
  bool Add(std::string_view member, const SetLimits& limits);
  // False when the member was not there.
  bool Remove(std::string_view member);

  // Calls `visit(std::string_view)` for every member; a visit that returns bool ends it with false. The set
  // may not be changed meanwhile, and the view dies with the call.
  template <typename Visit>
  void ForEach(Visit&& visit) const;
  // Some members; returns the cursor of the next call, 0 at the end. Small sets come all at once. What is
  // there from the first call to the last is visited, whatever changes between.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const;

  // Each with the same chance. REQUIRES: size() > 0.
  // Calls `visit(member)` with one member, which then is removed.
  template <typename Visit>
  void Pop(Random& random, Visit&& visit);
  // Calls `visit(member)` `count` times, with members drawn independently; a visit that returns bool ends it
  // with false.
  template <typename Visit>
  void Draw(uint64_t count, Random& random, Visit&& visit) const;
  // Calls `visit(member)` for `count` different members. REQUIRES: count <= size().
  template <typename Visit>
  void DrawDistinct(uint64_t count, Random& random, Visit&& visit) const;

 private:
  StringSet& table() const { return static_cast<LargeSet*>(holder_->object())->members; }
  std::string_view packed() const { return holder_->view(); }
  bool AddToIntset(std::string_view member, const SetLimits& limits);
  bool AddToListpack(std::string_view member, const SetLimits& limits);
  void BecomeListpack();
  void BecomeTable(size_t expected);
  // Calls `visit(member)` with the member that stands at an index (intset) or position (listpack). Whether
  // the visit wants more.
  template <typename Visit>
  static bool VisitAt(std::string_view bytes, size_t place, Visit&& visit);
  static size_t PlaceOf(std::string_view bytes, size_t index) {
    return IsIntset(bytes) ? index : listpack::At(bytes, static_cast<int64_t>(index));
  }

  Holder* holder_;
};

}  // namespace cinnabar::types

#include "types/internal/set_visits.h"  // IWYU pragma: export
