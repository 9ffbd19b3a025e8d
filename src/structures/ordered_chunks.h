// OrderedChunks: a sorted sequence of small fixed-size elements, most of which arrive at the end and leave at
// the front (the nodes of a stream, what a consumer has pending).
//
//   chunks ->  [ * | * | * | * ]          an array of pointers with free room at both ends
//                |   |
//                |   +-> [ . e e e e e . . ]     up to kChunkItems elements, free room at both ends
//                +-----> [ . . . e e ]
//
// Finding takes two binary searches. Appending writes one element. Removing moves the smaller side of one
// chunk. An element costs its own size and a few bits; a sequence of one element has two allocations, an
// empty one has none. Not a B+ tree because two levels are enough: the pointers to 10 million elements are
// less than a megabyte, and only a chunk that fills up or runs empty in the middle moves them.
//
// T is trivially copyable and has `key()`, a value with an order; keys are unique. A Position, like a
// reference to an element, dies with the next change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/relocation.h"

namespace cinnabar {

template <typename T>
class OrderedChunks {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  using Key = decltype(std::declval<const T&>().key());

  struct Position {
    uint32_t chunk = 0;
    uint32_t index = 0;
    bool operator==(const Position&) const = default;
  };

  OrderedChunks() = default;
  OrderedChunks(const OrderedChunks& other) {
    other.ForEach([this](const T& item) { Insert(item); });
  }
  OrderedChunks& operator=(const OrderedChunks&) = delete;
  ~OrderedChunks() { Clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  Position First() const { return {}; }
  Position End() const { return {count_, 0}; }
  // REQUIRES: p is not End() (not First()).
  Position Next(Position p) const {
    return p.index + 1 < chunk(p.chunk)->count ? Position{p.chunk, p.index + 1} : Position{p.chunk + 1, 0};
  }
  Position Previous(Position p) const {
    if (p.index > 0) return {p.chunk, p.index - 1};
    return {p.chunk - 1, chunk(p.chunk - 1)->count - 1};
  }
  T& At(Position p) { return chunk(p.chunk)->items()[p.index]; }
  const T& At(Position p) const { return chunk(p.chunk)->items()[p.index]; }
  const T& front() const { return At(First()); }
  const T& back() const { return At(Previous(End())); }

  // The first element whose key is not less than `key`.
  Position Lower(const Key& key) const {
    if (empty()) return End();
    const uint32_t at = ChunkOf(key);
    const Chunk& c = *chunk(at);
    const T* found = std::lower_bound(c.items(), c.items() + c.count, key,
                                      [](const T& item, const Key& k) { return item.key() < k; });
    const auto index = static_cast<uint32_t>(found - c.items());
    return index < c.count ? Position{at, index} : Position{at + 1, 0};
  }
  T* Find(const Key& key) {
    const Position p = Lower(key);
    if (p == End()) return nullptr;
    T& item = At(p);
    return item.key() == key ? &item : nullptr;
  }

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (Position p = First(); p != End(); p = Next(p)) visit(At(p));
  }

  // REQUIRES: no element has the key.
  void Insert(const T& item) {
    if (empty() || back().key() < item.key()) return Append(item);
    uint32_t at = ChunkOf(item.key());
    if (chunk(at)->count == kChunkItems) {
      Split(at);
      if (chunk(at + 1)->items()[0].key() < item.key()) ++at;
    }
    Chunk& c = MakeRoom(at);
    T* where = std::lower_bound(c.items(), c.items() + c.count, item.key(),
                                [](const T& one, const Key& k) { return one.key() < k; });
    Move(where + 1, where, static_cast<size_t>(c.items() + c.count - where));
    *where = item;
    ++c.count;
    ++size_;
  }

  // Returns the position of what follows.
  Position Erase(Position p) {
    Chunk& c = *chunk(p.chunk);
    T* items = c.items();
    if (p.index < c.count / 2) {
      Move(items + 1, items, p.index);
      ++c.begin;
    } else {
      Move(items + p.index, items + p.index + 1, c.count - p.index - 1);
    }
    --c.count;
    --size_;
    if (c.count == 0) {
      EraseChunk(p.chunk);
      return {p.chunk, 0};
    }
    if (c.count < kChunkItems / 4 && p.chunk + 1 < count_ &&
        c.count + chunk(p.chunk + 1)->count <= kChunkItems / 2) {
      MergeWithNext(p.chunk);
    }
    return p.index < chunk(p.chunk)->count ? p : Position{p.chunk + 1, 0};
  }
  bool EraseKey(const Key& key) {
    const Position p = Lower(key);
    if (p == End() || At(p).key() != key) return false;
    Erase(p);
    return true;
  }

  void Clear() {
    for (uint32_t i = 0; i < count_; ++i) std::free(chunk(i));
    std::free(chunks_);
    chunks_ = nullptr;
    head_ = count_ = capacity_ = 0;
    size_ = 0;
  }

  // Offers the blocks from chunk `at` on, up to the number `enough` of offers, and leaves there where to go
  // on. False at the end. `visit(T&)` offers what an element has of its own.
  template <typename Visit>
  bool RelocateSome(Relocation& relocation, uint64_t enough, uint64_t& at, Visit&& visit) {
    for (; at < count_; ++at) {
      if (relocation.offers() >= enough) return true;
      if (at == 0) relocation.Follow(chunks_);
      relocation.Follow(chunks_[head_ + at]);
      Chunk& c = *chunk(static_cast<uint32_t>(at));
      for (uint32_t i = 0; i < c.count; ++i) visit(c.items()[i]);
    }
    return false;
  }

  // Bytes and number of the allocations.
  size_t memory() const {
    size_t bytes = capacity_ * sizeof(Chunk*);
    for (uint32_t i = 0; i < count_; ++i) bytes += sizeof(Chunk) + chunk(i)->capacity * sizeof(T);
    return bytes;
  }
  size_t allocations() const { return empty() ? 0 : count_ + 1; }

 private:
  static constexpr uint32_t kChunkItems = 128;
  static constexpr uint32_t kFirstItems = 4;

  struct Chunk {
    uint32_t begin;
    uint32_t count;
    uint64_t capacity;
    T* items() { return reinterpret_cast<T*>(this + 1) + begin; }
    const T* items() const { return reinterpret_cast<const T*>(this + 1) + begin; }
  };
  static_assert(alignof(T) <= sizeof(Chunk));

  Chunk* chunk(uint32_t index) const { return chunks_[head_ + index]; }
  static void Move(T* to, const T* from, size_t count) {
    std::memmove(static_cast<void*>(to), static_cast<const void*>(from), count * sizeof(T));
  }

  // The chunk in which an element with this key is or would be. REQUIRES: !empty().
  uint32_t ChunkOf(const Key& key) const {
    uint32_t low = 0;
    uint32_t high = count_;  // the chunk looked for is in [low, high)
    while (high - low > 1) {
      const uint32_t middle = low + (high - low) / 2;
      if (key < chunk(middle)->items()[0].key()) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return low;
  }

  void Append(const T& item) {
    if (empty()) {
      InsertChunk(0, NewChunk(kFirstItems));
    } else {
      const Chunk& last = *chunk(count_ - 1);
      const bool ended = last.begin + last.count == kChunkItems;
      if (ended && last.count >= kChunkItems * 3 / 4) InsertChunk(count_, NewChunk(kChunkItems));
    }
    Chunk& c = MakeRoom(count_ - 1);
    c.items()[c.count++] = item;
    ++size_;
  }

  // REQUIRES: the chunk has fewer than kChunkItems elements. Afterwards there is room behind the last.
  Chunk& MakeRoom(uint32_t at) {
    Chunk* c = chunk(at);
    if (c->begin + c->count < c->capacity) return *c;
    if (c->begin > 0) {
      T* old = c->items();
      c->begin = 0;
      Move(c->items(), old, c->count);
      return *c;
    }
    const size_t capacity = std::min<size_t>(kChunkItems, c->capacity * 2);
    c = static_cast<Chunk*>(std::realloc(static_cast<void*>(c), sizeof(Chunk) + capacity * sizeof(T)));
    CHECK(c != nullptr);
    c->capacity = capacity;
    chunks_[head_ + at] = c;
    return *c;
  }

  void Split(uint32_t at) {
    Chunk* upper = NewChunk(kChunkItems);
    Chunk& lower = *chunk(at);
    const uint32_t kept = lower.count / 2;
    upper->count = lower.count - kept;
    std::memcpy(static_cast<void*>(upper->items()), static_cast<const void*>(lower.items() + kept),
                upper->count * sizeof(T));
    lower.count = kept;
    InsertChunk(at + 1, upper);
  }

  void MergeWithNext(uint32_t at) {
    Chunk* joined = NewChunk(kChunkItems);
    for (uint32_t i = at; i <= at + 1; ++i) {
      const Chunk& part = *chunk(i);
      std::memcpy(static_cast<void*>(joined->items() + joined->count), static_cast<const void*>(part.items()),
                  part.count * sizeof(T));
      joined->count += part.count;
    }
    std::free(chunk(at));
    chunks_[head_ + at] = joined;
    EraseChunk(at + 1);
  }

  static Chunk* NewChunk(uint32_t capacity) {
    auto* c = static_cast<Chunk*>(std::malloc(sizeof(Chunk) + capacity * sizeof(T)));
    CHECK(c != nullptr);
    c->begin = c->count = 0;
    c->capacity = capacity;
    return c;
  }

  void InsertChunk(uint32_t at, Chunk* c) {
    if (head_ + count_ == capacity_) {
      if (head_ > capacity_ / 2) {
        std::memmove(chunks_, chunks_ + head_, count_ * sizeof(Chunk*));
        head_ = 0;
      } else {
        capacity_ = capacity_ == 0 ? 1 : capacity_ * 2;
        chunks_ = static_cast<Chunk**>(std::realloc(chunks_, capacity_ * sizeof(Chunk*)));
        CHECK(chunks_ != nullptr);
      }
    }
    Chunk** where = chunks_ + head_ + at;
    std::memmove(where + 1, where, (count_ - at) * sizeof(Chunk*));
    *where = c;
    ++count_;
  }

  void EraseChunk(uint32_t at) {
    std::free(chunk(at));
    if (count_ == 1) {
      std::free(chunks_);
      chunks_ = nullptr;
      head_ = count_ = capacity_ = 0;
      return;
    }
    if (at == 0) {
      ++head_;
    } else {
      Chunk** where = chunks_ + head_ + at;
      std::memmove(where, where + 1, (count_ - at - 1) * sizeof(Chunk*));
    }
    --count_;
  }

  Chunk** chunks_ = nullptr;
  uint32_t head_ = 0;  // free pointers before the first
  uint32_t count_ = 0;
  uint32_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace cinnabar
