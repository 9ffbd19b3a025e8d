// LargeSortedSet: a sorted set of any size. Each member is one allocation; a hash table finds it by name and
// a ranked tree by its place.
//
//   Table (8 slots a line)  --\        +-----------+--------------------+--------+
//                              +-----> | score (8) | length (1, or 5)   | member |
//   RankedTree (60 a leaf)  --/        +-----------+--------------------+--------+
//
// A member of 16 bytes takes 32 bytes for itself, about 10 in the table and 11 in the tree.
//
// Not thread-safe: the caller holds the key's shard. Pointers to members live until the member is erased.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/hash.h"
#include "structures/ranked_tree.h"
#include "structures/table.h"
#include "types/interlude.h"
#include "types/value.h"

namespace cinnabar::types {

// Plain memory, made and freed here.
class ScoredMember {
 public:
  static ScoredMember* Make(std::string_view member, double score);
  static void Free(ScoredMember* member) { std::free(member); }

  double score() const { return score_; }
  void set_score(double score) { score_ = score; }
  std::string_view member() const {
    const char* bytes = reinterpret_cast<const char*>(this) + sizeof(double);
    const auto length = static_cast<uint8_t>(*bytes);
    if (length != kLong) [[likely]]
      return {bytes + 1, length};
    uint32_t long_length;
    std::memcpy(&long_length, bytes + 1, sizeof long_length);
    return {bytes + 1 + sizeof long_length, long_length};
  }

 private:
  static constexpr uint8_t kLong = 255;
  double score_;
};

class LargeSortedSet final : public Value {
 public:
  using Tree = RankedTree<ScoredMember>;

  LargeSortedSet();
  ~LargeSortedSet() override;
  LargeSortedSet(const LargeSortedSet&) = delete;
  LargeSortedSet& operator=(const LargeSortedSet&) = delete;

  Type type() const override { return Type::kSortedSet; }
  std::string_view encoding() const override { return "skiplist"; }
  size_t memory(size_t samples) const override;
  size_t free_effort() const override { return size(); }
  std::unique_ptr<Value> Clone() const override;

  size_t size() const { return index_.size(); }
  // The members in their order.
  const Tree& order() const { return order_; }

  // Null if it is not there.
  ScoredMember* Find(std::string_view member) const;
  // REQUIRES: it is not there.
  void Add(std::string_view member, double score) { order_.Insert(AddUnordered(member, score)); }
  // As Add. REQUIRES: it is behind all others.
  void Append(std::string_view member, double score) { order_.Append(AddUnordered(member, score)); }
  void ChangeScore(ScoredMember& member, double score);
  // False if it was not there.
  bool Erase(std::string_view member);
  // REQUIRES: there are so many.
  void EraseRanks(uint64_t rank, uint64_t count);

  // Building in any order: REQUIRES that order() is not asked for before Order().
  ScoredMember* AddUnordered(std::string_view member, double score);
  void Order(const Interlude& interlude = {});

  // The cursor of structures/table.h. `visit(const ScoredMember&)`.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    return index_.Scan(cursor, [&](TableSlot& slot) { visit(*slot.entry<const ScoredMember>()); });
  }
  // In no order; for what is not ordered yet.
  template <typename Visit>
  void ForEachUnordered(Visit&& visit) const {
    for (size_t i = 0; i < index_.bucket_count(); ++i) {
      index_.VisitBucket(i, [&](TableSlot& slot) { visit(*slot.entry<ScoredMember>()); });
    }
  }

 private:
  uint64_t HashOf(std::string_view member) const { return HashBytes(member, seed_); }
  TableSlot* FindSlot(uint64_t hash, std::string_view member) const;

  const uint64_t seed_;                // drawn, so that nobody can prepare members that collide
  mutable Table<ScoredMember> index_;  // its readers are not const, because slots can be written through them
  Tree order_;
};

}  // namespace cinnabar::types
