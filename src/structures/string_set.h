// StringSet: a set of byte strings in a hash table (slot_table.h tells how it grows and scans). A member
// costs its slot, and an allocation of exactly its bytes if it has more than six.
//
//   slot (64 bits):  [tag:8, never 0][length:8][member, up to 6 bytes | pointer:48]
//   allocation:      [member]                        7 to 254 bytes
//                    [length: u32][member]           from 255 on; the slot says 255
//
// Allocators give out memory in steps of 16 bytes, so that a length byte in front of the member would cost 16
// for members of 16. Tag and length are compared together, eight slots at a time: a look-up reads a member
// only if its length is right and one in 255 others would pass.
//
// Views of members die with the next Insert/Erase. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "base/prefetch.h"
#include "base/relocation.h"
#include "base/same_bytes.h"
#include "structures/slot_table.h"

namespace cinnabar {

class MemberSlot {
 public:
  static constexpr int kTagShift = 48;
  static constexpr uint64_t kLinkBit = 0;  // a link is what has no tag
  static constexpr uint64_t kLowMask = (uint64_t{1} << kTagShift) - 1;
  static constexpr size_t kInlineMax = 6;
  static constexpr size_t kLong = 255;

  // Tag and length.
  static uint64_t TagOf(uint64_t hash, size_t length) {
    const uint64_t tag = hash >> 56;
    return (tag + (tag == 0)) << 8 | std::min(length, kLong);
  }
  // The slot of a member that fits into it.
  static MemberSlot Inline(uint64_t tag, std::string_view member) {
    MemberSlot slot;
    std::memcpy(&slot.bits, member.data(), member.size());
    slot.bits |= tag << kTagShift;
    return slot;
  }
  // Allocates.
  static MemberSlot Allocated(uint64_t tag, std::string_view member) {
    const size_t prefix = member.size() < kLong ? 0 : sizeof(uint32_t);
    char* bytes = static_cast<char*>(std::malloc(prefix + member.size()));
    CHECK(bytes != nullptr);
    const auto length = static_cast<uint32_t>(member.size());
    std::memcpy(bytes, &length, prefix);
    std::memcpy(bytes + prefix, member.data(), member.size());
    MemberSlot slot;
    slot.bits = tag << kTagShift | reinterpret_cast<uint64_t>(bytes);
    return slot;
  }

  bool free() const { return bits == 0; }
  bool is_link() const { return bits != 0 && (bits >> kTagShift) == 0; }
  bool holds_entry() const { return (bits >> kTagShift) != 0; }
  bool is_inline() const { return short_length() <= kInlineMax; }
  void FetchEntry() const {
    if (!is_inline()) Prefetch(pointer());
  }

  // Points into the slot or to the allocation.
  std::string_view member() const {
    const size_t length = short_length();
    if (length <= kInlineMax) return {reinterpret_cast<const char*>(&bits), length};
    if (length < kLong) [[likely]]
      return {pointer(), length};
    uint32_t long_length;
    std::memcpy(&long_length, pointer(), sizeof long_length);
    return {pointer() + sizeof long_length, long_length};
  }
  size_t heap_bytes() const {
    if (is_inline()) return 0;
    const size_t length = member().size();
    return length < kLong ? length : length + sizeof(uint32_t);
  }
  void Free() const {
    if (!is_inline()) std::free(pointer());
  }

  void Relocate(Relocation& relocation) {
    if (is_inline()) return;
    bits = (bits & ~kLowMask) | reinterpret_cast<uint64_t>(relocation.Move(pointer()));
  }

  uint64_t bits = 0;

 private:
  size_t short_length() const { return bits >> kTagShift & 0xff; }
  char* pointer() const { return reinterpret_cast<char*>(bits & kLowMask); }
};

class StringSet {
 public:
  // `seed` keys the hash: colliding members cannot be prepared without knowing it.
  explicit StringSet(uint64_t seed) : seed_(seed) {}
  StringSet(const StringSet&) = delete;
  StringSet& operator=(const StringSet&) = delete;
  ~StringSet() {
    ForEachSlot([](const MemberSlot& slot) { slot.Free(); });
  }

  size_t size() const { return table_.size(); }
  // Bytes of the table and of the members, in the allocator's steps.
  size_t memory() const { return table_.memory() + heap_bytes_; }

  bool Contains(std::string_view member) const { return FindSlot(HashOf(member), member) != nullptr; }

  // False when the member was there already.
  bool Insert(std::string_view member) {
    const uint64_t hash = HashOf(member);
    if (FindSlot(hash, member) != nullptr) return false;
    InsertNew(hash, member);
    return true;
  }
  // REQUIRES: the member is not there.
  void InsertNew(std::string_view member) { InsertNew(HashOf(member), member); }
  // False when the member was not there.
  bool Erase(std::string_view member) {
    const uint64_t hash = HashOf(member);
    MemberSlot* slot = FindSlot(hash, member);
    if (slot == nullptr) return false;
    EraseSlot(hash, slot);
    return true;
  }
  // Makes room for `count` members that are about to come. REQUIRES: size() == 0.
  void Reserve(size_t count) { table_.Reserve(count); }

  // Calls `visit(std::string_view)` for every member, in the order of the table, until it returns false.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    bool more = true;
    for (size_t i = 0, n = table_.bucket_count(); i < n && more; ++i) {
      if (i + 1 < n) table_.VisitBucket(i + 1, [](MemberSlot& slot) { slot.FetchEntry(); });
      table_.VisitBucket(i, [&](MemberSlot& slot) { more = more && visit(slot.member()); });
    }
  }
  // Calls `visit(std::string_view)` for the members of one bucket; returns the cursor to go on from, 0 at the
  // end. What is there from the first call to the last is visited, whatever changes between.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    return table_.Scan(cursor, [&](MemberSlot& slot) { visit(slot.member()); });
  }

  // Offers a step's worth of blocks from bucket `bucket` on, and leaves there where to go on. False at the
  // end.
  bool RelocateSome(Relocation& relocation, uint64_t& bucket) {
    const uint64_t enough = relocation.offers() + Relocation::kOffersPerStep;
    for (; bucket < table_.bucket_count(); ++bucket) {
      if (relocation.offers() >= enough) return true;
      table_.RelocateBucket(bucket, relocation, [&](MemberSlot& slot) { slot.Relocate(relocation); });
    }
    return false;
  }

  // A member with equal chance for each; `random(n)` gives a number below n. REQUIRES: size() > 0.
  template <typename Random>
  const MemberSlot& Sample(Random&& random) const {
    return *table_.Sample(random);
  }
  // REQUIRES: Sample has just returned this slot.
  void EraseSampled(const MemberSlot& slot) {
    EraseSlot(HashOf(slot.member()), const_cast<MemberSlot*>(&slot));
  }

 private:
  uint64_t HashOf(std::string_view member) const { return HashBytes(member, seed_); }
  static size_t InSteps(size_t bytes) { return (bytes + 15) / 16 * 16; }

  MemberSlot* FindSlot(uint64_t hash, std::string_view member) const {
    const uint64_t tag = MemberSlot::TagOf(hash, member.size());
    if (member.size() <= MemberSlot::kInlineMax) {
      const uint64_t wanted = MemberSlot::Inline(tag, member).bits;
      return table_.Find(hash, tag, [=](const MemberSlot& slot) { return slot.bits == wanted; });
    }
    return table_.Find(hash, tag, [=](const MemberSlot& slot) { return SameBytes(slot.member(), member); });
  }

  void InsertNew(uint64_t hash, std::string_view member) {
    const uint64_t tag = MemberSlot::TagOf(hash, member.size());
    const MemberSlot slot = member.size() <= MemberSlot::kInlineMax ? MemberSlot::Inline(tag, member)
                                                                    : MemberSlot::Allocated(tag, member);
    heap_bytes_ += InSteps(slot.heap_bytes());
    table_.Insert(hash, slot, [this](const MemberSlot& s) { return HashOf(s.member()); });
  }

  void EraseSlot(uint64_t hash, MemberSlot* slot) {
    heap_bytes_ -= InSteps(slot->heap_bytes());
    slot->Free();
    table_.Erase(hash, slot);
  }

  template <typename Visit>
  void ForEachSlot(Visit&& visit) const {
    for (size_t i = 0; i < table_.bucket_count(); ++i) table_.VisitBucket(i, visit);
  }

  SlotTable<MemberSlot> table_;
  size_t heap_bytes_ = 0;
  const uint64_t seed_;
};

}  // namespace cinnabar
