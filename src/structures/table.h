// Table: a hash table of pointers to entries (slot_table.h tells how it grows and scans).
//
//   slot (64 bits):     [tag:15][mark:1][pointer:48]           0 = free
//
// The tag holds 14 bits of the hash. The mark is one bit of the caller's (an entry that may expire), which
// lets a sweep skip all other entries without reading them.
//
// Not thread-safe: the caller holds the lock of the table's shard. Slot pointers die with the next
// Insert/Erase.
#pragma once

#include <cstdint>
#include <utility>

#include "base/prefetch.h"
#include "structures/slot_table.h"

namespace cinnabar {

class TableSlot {
 public:
  static constexpr uint64_t kPointerMask = (uint64_t{1} << 48) - 1;
  static constexpr uint64_t kMark = uint64_t{1} << 48;
  static constexpr uint64_t kLinkBit = 1;  // on the pointer: an overflow bucket, not an entry
  static constexpr int kTagShift = 49;

  // Never 0, so that a free slot matches no tag; a link's tag is 0 as well.
  static uint64_t TagOf(uint64_t hash) { return (hash >> kTagShift) | 1; }

  template <typename Entry>
  Entry* entry() const {
    return reinterpret_cast<Entry*>(bits & kPointerMask);
  }
  bool marked() const { return (bits & kMark) != 0; }
  bool free() const { return bits == 0; }
  bool is_link() const { return (bits & kLinkBit) != 0; }
  bool holds_entry() const { return bits != 0 && (bits & kLinkBit) == 0; }
  void set_pointer(const void* entry) { bits = (bits & ~kPointerMask) | reinterpret_cast<uint64_t>(entry); }

  void FetchEntry() const { Prefetch(entry<char>()); }

  uint64_t bits = 0;
};

// Entry: any type at an even address below 2^48. The entries belong to the caller, who has taken them out or
// freed them before the table goes.
template <typename Entry>
class Table : public SlotTable<TableSlot> {
 public:
  using Slot = TableSlot;
  using Base = SlotTable<TableSlot>;

  Table() = default;
  Table(Table&& other) noexcept { *this = std::move(other); }
  Table& operator=(Table&& other) noexcept {
    Base::operator=(std::move(other));
    std::swap(marked_, other.marked_);
    return *this;
  }

  size_t marked() const { return marked_; }

  // Once the bucket has arrived: fetches the entry that probably matches.
  void PrefetchEntry(uint64_t hash) const {
    const Slot* slot = FirstMatch(hash, Slot::TagOf(hash));
    if (slot == nullptr) return;
    const char* entry = slot->entry<const char>();
    Prefetch(entry);
    Prefetch(entry + 64);
  }

  // `equal(const Entry&)` decides whether an entry has the wanted key. Null when there is none.
  template <typename Equal>
  Slot* Find(uint64_t hash, Equal&& equal) const {
    return Base::Find(hash, Slot::TagOf(hash),
                      [&](const Slot& slot) { return equal(*slot.entry<const Entry>()); });
  }

  // REQUIRES: no entry with this key. `hash_of(const Entry&)` recomputes an entry's hash when a bucket
  // splits.
  template <typename HashOf>
  void Insert(uint64_t hash, Entry* entry, bool mark, HashOf&& hash_of) {
    marked_ += mark;
    Base::Insert(hash, MakeSlot(hash, entry, mark),
                 [&](const Slot& slot) { return hash_of(*slot.entry<const Entry>()); });
  }

  // Takes the entry out of the table; it stays the caller's.
  Entry* Erase(uint64_t hash, Slot* slot) {
    Entry* entry = slot->entry<Entry>();
    marked_ -= slot->marked();
    Base::Erase(hash, slot);
    return entry;
  }

  // Offers a step's worth of blocks, those of the entries included, from bucket `bucket` on, and leaves there
  // where to go on. False at the end. For entries that are one block each.
  bool RelocateSome(Relocation& relocation, uint64_t& bucket) {
    const uint64_t enough = relocation.offers() + Relocation::kOffersPerStep;
    for (; bucket < Base::bucket_count(); ++bucket) {
      if (relocation.offers() >= enough) return true;
      Base::RelocateBucket(bucket, relocation,
                           [&](Slot& slot) { slot.set_pointer(relocation.Move(slot.entry<char>())); });
    }
    return false;
  }
  // The same for the table alone, whose entries somebody else offers.
  bool RelocateBuckets(Relocation& relocation, uint64_t& bucket) {
    const uint64_t enough = relocation.offers() + Relocation::kOffersPerStep;
    for (; bucket < Base::bucket_count(); ++bucket) {
      if (relocation.offers() >= enough) return true;
      Base::RelocateBucket(bucket, relocation, [](Slot&) {});
    }
    return false;
  }

  void SetMark(Slot* slot, bool mark) {
    if (slot->marked() == mark) return;
    slot->bits ^= Slot::kMark;
    marked_ += mark ? 1 : -1;
  }

 private:
  static Slot MakeSlot(uint64_t hash, const Entry* entry, bool mark) {
    Slot slot;
    slot.bits =
        Slot::TagOf(hash) << Slot::kTagShift | (mark ? Slot::kMark : 0) | reinterpret_cast<uint64_t>(entry);
    return slot;
  }

  uint32_t marked_ = 0;
};

}  // namespace cinnabar
