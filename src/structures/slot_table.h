// SlotTable: the hash table behind Table and StringSet. A bucket is one cache line of 64-bit slots; what a
// slot holds is its type's affair. The table grows one bucket at a time.
//
//   bucket (64 bytes):  [slot 0][slot 1] ... [slot 6][slot 7 | link to overflow bucket]
//   slot (64 bits):     [tag, never 0 for an entry | what finds the entry]      0 = free
//
// Growth is linear hashing (Litwin, VLDB 1980): with n buckets and 2^L <= n < 2^(L+1), the buckets below n -
// 2^L have been split and are addressed by L+1 bits of the hash, the others by L bits. An insert that makes
// the table too full splits one bucket, an erase that makes it too empty merges one: no step ever touches
// more than a few entries, and the load, so the memory per entry, is the same at every size. Buckets live in
// segments of 16, found through a small directory. The first segment is as large as it needs to be, in steps
// that allocators have sizes for: the many tables of a cluster's slots are small.
//
// The tag holds bits of the hash, so that a look-up reads an entry only when it is almost surely the right
// one: two cache misses for a hit, one for a miss.
//
// Scan keeps Redis's guarantee: what is present from the first call to the last is returned at least once,
// whatever is inserted or erased between. The cursor counts with its bits reversed, so that a split or merged
// bucket is met where its parts would have been.
//
// Not thread-safe. Slot pointers die with the next Insert/Erase.
#pragma once

#include <smmintrin.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/relocation.h"

namespace cinnabar {

// Slot: a struct of one word, `uint64_t bits`, with
//   kTagShift      the tag is bits >> kTagShift: not 0 for an entry, 0 for a link
//   kLinkBit       added to the address of an overflow bucket to make a link
//   free(), is_link(), holds_entry()
//   FetchEntry()   starts fetching what HashOf will read
template <typename Slot>
class SlotTable {
 public:
  static constexpr int kSlots = 8;
  // The low bits of a hash, which choose the table; it takes its bucket from the bits above.
  static constexpr int kHashSkip = 14;

  SlotTable() = default;
  SlotTable(SlotTable&& other) noexcept { *this = std::move(other); }
  SlotTable& operator=(SlotTable&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(bucket_count_, other.bucket_count_);
    std::swap(wide_mask_, other.wide_mask_);
    std::swap(size_, other.size_);
    std::swap(overflow_count_, other.overflow_count_);
    return *this;
  }
  // What the slots point to belongs to the caller, who has taken it out or freed it.
  ~SlotTable() { FreeBuckets(); }

  size_t size() const { return size_; }
  size_t bucket_count() const { return bucket_count_; }
  size_t overflow_count() const { return overflow_count_; }
  // Bytes of buckets and directory.
  size_t memory() const {
    return (bucket_count_ + overflow_count_) * sizeof(Bucket) + SegmentCount() * sizeof(Bucket*);
  }

  // A table is found in three steps, each where the one before it has arrived: itself, its directory, a
  // bucket.
  void PrefetchDirectory() const { Prefetch(static_cast<const void*>(directory_)); }
  void PrefetchBucket(uint64_t hash) const {
    if (bucket_count_ != 0) Prefetch(BucketFor(hash));
  }
  // The first slot whose tag is `tag`. Null when there is none.
  const Slot* FirstMatch(uint64_t hash, uint64_t tag) const {
    if (bucket_count_ == 0) return nullptr;
    for (const Bucket* bucket = BucketFor(hash); bucket != nullptr; bucket = bucket->overflow()) {
      const unsigned matches = Matches(*bucket, tag);
      if (matches != 0) return &bucket->slots[std::countr_zero(matches)];
    }
    return nullptr;
  }

  // `accept(const Slot&)` decides, among slots whose tag is `tag`. Null when it accepts none.
  template <typename Accept>
  Slot* Find(uint64_t hash, uint64_t tag, Accept&& accept) const {
    if (bucket_count_ == 0) return nullptr;
    for (Bucket* bucket = BucketFor(hash); bucket != nullptr; bucket = bucket->overflow()) {
      for (unsigned matches = Matches(*bucket, tag); matches != 0; matches &= matches - 1) {
        Slot& slot = bucket->slots[std::countr_zero(matches)];
        if (accept(slot)) return &slot;
      }
    }
    return nullptr;
  }

  // REQUIRES: no equal entry. `hash_of(const Slot&)` recomputes an entry's hash when a bucket splits.
  template <typename HashOf>
  void Insert(uint64_t hash, Slot slot, HashOf&& hash_of) {
    if (bucket_count_ == 0) AddFirstBucket();
    Place(BucketFor(hash), slot);
    ++size_;
    if (size_ * 2 > bucket_count_ * kLoadTwice) Split(hash_of);
  }

  // Takes the entry out of the table; what it points to stays the caller's.
  void Erase(uint64_t hash, Slot* slot) {
    --size_;
    FillHole(BucketFor(hash), slot);
    if (bucket_count_ > 1 && size_ * 8 < bucket_count_ * kLoadTwice) Merge();
  }

  // Makes the buckets for `count` entries that are about to come. REQUIRES: size() == 0.
  void Reserve(size_t count) {
    DCHECK(size_ == 0);
    if (bucket_count_ == 0) AddFirstBucket();
    const size_t first_segment = std::min(kSegmentBuckets, (count * 2 + kLoadTwice - 1) / kLoadTwice);
    if (bucket_count_ < first_segment) {
      ResizeFirstSegment(bucket_count_, first_segment);
      SetBucketCount(first_segment);
    }
    while (bucket_count_ * kLoadTwice < count * 2) AddBucket();
  }

  // Calls `visit(Slot&)` for each entry of one bucket and returns the cursor to go on from; 0 = all seen.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    if (bucket_count_ == 0) return 0;
    uint64_t index = Index(cursor);
    VisitBucket(index, visit);
    return NextCursor(cursor, index);
  }

  // Calls `visit(Slot&)` for each entry of bucket `index`; visit may not insert or erase.
  template <typename Visit>
  void VisitBucket(uint64_t index, Visit&& visit) const {
    for (Bucket* bucket = BucketAt(index); bucket != nullptr;) {
      Bucket* next = bucket->overflow();
      for (Slot& slot : bucket->slots) {
        if (slot.holds_entry()) visit(slot);
      }
      bucket = next;
    }
  }

  // Calls `visit(Slot&)` for entries until it returns false; visit may not insert or erase. It begins at
  // bucket `from`, which becomes the first one where it finds any: whoever takes out what it is given, again
  // and again until nothing is left, reads the part that is already empty once and not each time. Returns how
  // many buckets it has read.
  template <typename Visit>
  size_t VisitSome(uint32_t& from, Visit&& visit) const {
    uint64_t index = from < bucket_count_ ? from : 0;
    bool found = false;
    bool more = true;
    size_t read = 0;
    for (; read < bucket_count_ && more; ++read) {
      VisitBucket(index, [&](Slot& slot) {
        if (!std::exchange(found, true)) from = static_cast<uint32_t>(index);
        more = more && visit(slot);
      });
      if (++index == bucket_count_) index = 0;
    }
    return read;
  }

  // An entry with equal chance for each. `random(n)` gives a number below n. REQUIRES: size() > 0.
  template <typename Random>
  Slot* Sample(Random&& random) const {
    while (true) {
      // Several buckets are fetched at a time: most draws meet an empty place.
      Draw draws[kDrawsAhead];
      for (Draw& draw : draws) {
        draw = {BucketAt(random(bucket_count_)), random(kSamplePlaces)};
        Prefetch(draw.bucket);
      }
      for (const Draw& draw : draws) {
        if (Slot* slot = Drawn(draw)) return slot;
      }
    }
  }

  // Moves bucket `index`, as far as it is an allocation of its own or the first in one, and calls
  // `move_entry(Slot&)` for its entries, which may give a slot another address of the same entry.
  template <typename MoveEntry>
  void RelocateBucket(uint64_t index, Relocation& relocation, MoveEntry&& move_entry) {
    if (index >= bucket_count_) return;
    if (index == 0) relocation.Follow(directory_);
    if (index % kSegmentBuckets == 0) relocation.Follow(directory_[index / kSegmentBuckets]);
    if (index + 1 < bucket_count_) VisitBucket(index + 1, [](Slot& slot) { slot.FetchEntry(); });
    for (Bucket* bucket = BucketAt(index); bucket->has_overflow(); bucket = bucket->overflow()) {
      bucket->set_overflow(relocation.Move(bucket->overflow()));
    }
    VisitBucket(index, move_entry);
  }

 private:
  struct alignas(64) Bucket {
    Slot slots[kSlots];

    bool has_overflow() const { return slots[kSlots - 1].is_link(); }
    Bucket* overflow() const {
      return has_overflow() ? reinterpret_cast<Bucket*>(slots[kSlots - 1].bits - Slot::kLinkBit) : nullptr;
    }
    void set_overflow(Bucket* overflow) {
      slots[kSlots - 1].bits = reinterpret_cast<uint64_t>(overflow) + Slot::kLinkBit;
    }
  };
  static constexpr size_t kSegmentBuckets = 16;
  static constexpr size_t kLoadTwice = 13;  // twice the mean number of entries per bucket: 6.5
  static constexpr uint64_t kSamplePlaces = 4 * kSlots;

  // A place in the chain of a bucket is drawn among more places than any likely chain has; an empty one is
  // drawn again, so that every entry has the same chance.
  struct Draw {
    Bucket* bucket;
    uint64_t place;
  };
  static constexpr int kDrawsAhead = 4;
  static Slot* Drawn(Draw draw) {
    while (draw.place >= kSlots && draw.bucket != nullptr) {
      draw.bucket = draw.bucket->overflow();
      draw.place -= kSlots;
    }
    if (draw.bucket == nullptr || !draw.bucket->slots[draw.place].holds_entry()) return nullptr;
    return &draw.bucket->slots[draw.place];
  }

  // One bit per slot whose tag is `tag`.
  static unsigned Matches(const Bucket& bucket, uint64_t tag) {
    const __m128i* lines = reinterpret_cast<const __m128i*>(bucket.slots);
    const __m128i wanted = _mm_set1_epi64x(static_cast<int64_t>(tag));
    auto match = [&](int i) {
      __m128i tags = _mm_srli_epi64(_mm_load_si128(lines + i), Slot::kTagShift);
      return static_cast<unsigned>(_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(tags, wanted))));
    };
    return match(0) | match(1) << 2 | match(2) << 4 | match(3) << 6;
  }

  size_t SegmentCount() const { return (bucket_count_ + kSegmentBuckets - 1) / kSegmentBuckets; }
  Bucket* BucketAt(uint64_t index) const {
    return directory_[index / kSegmentBuckets] + index % kSegmentBuckets;
  }
  uint64_t Index(uint64_t address) const {
    const uint64_t index = address & wide_mask_;
    return index < bucket_count_ ? index : address & (wide_mask_ >> 1);
  }
  void SetBucketCount(size_t count) {
    bucket_count_ = count;
    wide_mask_ = std::bit_ceil(count + 1) - 1;
  }
  Bucket* BucketFor(uint64_t hash) const { return BucketAt(Index(hash >> kHashSkip)); }

  uint64_t NextCursor(uint64_t cursor, uint64_t index) const {
    const uint64_t wide = wide_mask_;
    const uint64_t narrow = wide >> 1;
    const bool split = index > narrow || (index | (narrow + 1)) < bucket_count_;
    const uint64_t mask = split ? wide : narrow;
    uint64_t reversed = Reverse(cursor | ~mask) + 1;
    return Reverse(reversed);
  }
  static uint64_t Reverse(uint64_t v) {
    v = ((v >> 1) & 0x5555555555555555ull) | ((v & 0x5555555555555555ull) << 1);
    v = ((v >> 2) & 0x3333333333333333ull) | ((v & 0x3333333333333333ull) << 2);
    v = ((v >> 4) & 0x0f0f0f0f0f0f0f0full) | ((v & 0x0f0f0f0f0f0f0f0full) << 4);
    return __builtin_bswap64(v);
  }

  static Bucket* AllocateBuckets(size_t count) {
    void* memory = std::aligned_alloc(alignof(Bucket), count * sizeof(Bucket));
    CHECK(memory != nullptr);
    std::memset(memory, 0, count * sizeof(Bucket));
    return static_cast<Bucket*>(memory);
  }

  void AddFirstBucket() {
    directory_ = static_cast<Bucket**>(std::malloc(sizeof(Bucket*)));
    directory_[0] = AllocateBuckets(1);
    SetBucketCount(1);
  }

  // How many buckets the first segment has room for when so many are in use.
  static constexpr size_t FirstSegmentRoom(size_t used) {
    constexpr size_t kExact = 8;
    return used <= kExact ? used : used + used % 2;
  }
  // REQUIRES: `from` buckets are in use, and where there shall be fewer, the others are empty.
  void ResizeFirstSegment(size_t from, size_t to) {
    if (FirstSegmentRoom(from) == FirstSegmentRoom(to)) return;
    Bucket* resized = AllocateBuckets(FirstSegmentRoom(to));
    std::memcpy(static_cast<void*>(resized), directory_[0], std::min(from, to) * sizeof(Bucket));
    std::free(directory_[0]);
    directory_[0] = resized;
  }

  // Makes room for bucket number bucket_count_.
  void AddBucket() {
    const size_t count = bucket_count_;
    if (count < kSegmentBuckets) {
      ResizeFirstSegment(count, count + 1);
    } else if (count % kSegmentBuckets == 0) {
      const size_t segments = count / kSegmentBuckets;
      if (std::has_single_bit(segments)) {
        directory_ = static_cast<Bucket**>(
            std::realloc(static_cast<void*>(directory_), segments * 2 * sizeof(Bucket*)));
        CHECK(directory_ != nullptr);
      }
      directory_[segments] = AllocateBuckets(kSegmentBuckets);
    }
    SetBucketCount(bucket_count_ + 1);
  }

  void Place(Bucket* bucket, Slot slot) {
    while (true) {
      for (Slot& candidate : bucket->slots) {
        if (candidate.free()) {
          candidate = slot;
          return;
        }
      }
      if (!bucket->has_overflow()) {
        Bucket* overflow = AllocateBuckets(1);
        ++overflow_count_;
        overflow->slots[0] = bucket->slots[kSlots - 1];
        bucket->set_overflow(overflow);
      }
      bucket = bucket->overflow();
    }
  }

  // Moves an entry of the chain's last bucket into the freed slot, so that only the last bucket has holes
  // that cost memory, and drops that bucket when it is empty.
  void FillHole(Bucket* head, Slot* hole) {
    Bucket* parent = nullptr;
    Bucket* last = head;
    while (last->has_overflow()) {
      parent = last;
      last = last->overflow();
    }
    hole->bits = 0;
    if (parent == nullptr) return;
    bool filled = hole >= last->slots && hole < last->slots + kSlots;
    int left = 0;
    for (Slot& slot : last->slots) {
      if (slot.free()) continue;
      if (filled) {
        ++left;
      } else {
        *hole = slot;
        slot.bits = 0;
        filled = true;
      }
    }
    if (left > 0) return;
    std::free(last);
    --overflow_count_;
    parent->slots[kSlots - 1].bits = 0;
  }

  // Takes every entry out of the chain of bucket `head` and frees its overflow buckets.
  template <typename Take>
  void Drain(Bucket* head, Take&& take) {
    Bucket* bucket = head;
    while (bucket != nullptr) {
      Bucket* next = bucket->overflow();
      for (Slot& slot : bucket->slots) {
        if (slot.holds_entry()) take(slot);
      }
      if (bucket != head) {
        std::free(bucket);
        --overflow_count_;
      }
      bucket = next;
    }
    std::memset(static_cast<void*>(head), 0, sizeof(Bucket));
  }

  template <typename HashOf>
  void Split(HashOf& hash_of) {
    const uint64_t victim = bucket_count_ - std::bit_floor(bucket_count_);
    AddBucket();
    Bucket* low = BucketAt(victim);
    Bucket* high = BucketAt(bucket_count_ - 1);
    VisitBucket(victim, [](Slot& slot) { slot.FetchEntry(); });
    Slot near[kUsualChain];
    std::vector<Slot> far;
    int count = 0;
    Drain(low, [&](Slot& slot) {
      if (count < kUsualChain) {
        near[count++] = slot;
      } else {
        far.push_back(slot);
      }
    });
    auto place = [&](const Slot& slot) {
      Bucket* target = BucketFor(hash_of(slot));
      DCHECK(target == low || target == high);
      Place(target, slot);
    };
    for (int i = 0; i < count; ++i) place(near[i]);
    for (const Slot& slot : far) place(slot);
    (void)high;
  }
  static constexpr int kUsualChain = 64;

  void Merge() {
    const uint64_t last = bucket_count_ - 1;
    const uint64_t target = last - std::bit_floor(last);
    Bucket* low = BucketAt(target);
    Drain(BucketAt(last), [&](Slot& slot) { Place(low, slot); });
    SetBucketCount(bucket_count_ - 1);
    if (bucket_count_ >= kSegmentBuckets && bucket_count_ % kSegmentBuckets == 0) {
      std::free(directory_[bucket_count_ / kSegmentBuckets]);
    }
    if (bucket_count_ < kSegmentBuckets) ResizeFirstSegment(bucket_count_ + 1, bucket_count_);
  }

  void FreeBuckets() {
    for (size_t i = 0; i < bucket_count_; ++i) Drain(BucketAt(i), [](Slot&) {});
    for (size_t i = 0; i < SegmentCount(); ++i) std::free(directory_[i]);
    std::free(static_cast<void*>(directory_));
    directory_ = nullptr;
    SetBucketCount(0);
    size_ = 0;
  }

  Bucket** directory_ = nullptr;
  size_t bucket_count_ = 0;
  uint64_t wide_mask_ = 0;  // of L+1 bits
  size_t size_ = 0;
  uint32_t overflow_count_ = 0;
};

}  // namespace cinnabar
