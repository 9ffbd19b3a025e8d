// Readers: who has read which keys of one shard since they last changed (DESIGN §14).
//
// A note is one allocation:
//
//   [bytes of the key: u32][readers: u32][first reader: u64][key][0 to 7 bytes][others: u64 x a power of two]
//
// Most keys have one reader, who is found by a single comparison. Up to eight others stand one behind the
// other. Beyond that their places are a hash table (open addressing, linear probing, two thirds full at
// most), so that a key that thousands read costs each of them the same. How many places there are follows
// from the number of readers, which only grows: a change of the key takes the whole note out. A reader is any
// number but 0, which is a free place.
//
// Keys are told apart by their names alone, in whatever database they are: that is what their readers are
// told, too. Not thread-safe: the caller holds the shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/same_bytes.h"
#include "keyspace/keyspace.h"
#include "structures/table.h"

namespace cinnabar::keyspace {

class Readers {
 public:
  Readers() = default;
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers();

  // Notes that `reader` has read the key, and says what is new in that.
  enum class Added : uint8_t { kNothing, kReader, kKey };
  // False: perhaps all the same. For the usual case, without a call.
  [[gnu::always_inline]] bool HasFirst(const Key& key, uint64_t reader) const {
    const TableSlot* slot = Find(key);
    return slot != nullptr && slot->entry<const Note>()->first == reader;
  }
  Added Add(const Keyspace& keyspace, const Key& key, uint64_t reader);
  // Takes out who has read the key, in any order. Nobody: costs one look-up.
  std::vector<uint64_t> Take(const Key& key);
  // The name of a key, with equal chance for each. REQUIRES: keys() > 0.
  std::string Sample(Random& random) const;

  size_t keys() const { return notes_.size(); }
  // Readers of all keys together.
  uint64_t items() const { return items_; }

 private:
  struct Note {
    uint32_t key_bytes;
    uint32_t readers;
    uint64_t first;

    std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
    // For readers beyond the first.
    size_t place_count() const { return PlacesFor(readers); }
    uint64_t* places() const {
      const size_t key_words = (key_bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
      return reinterpret_cast<uint64_t*>(const_cast<Note*>(this) + 1) + key_words;
    }
    uint64_t* PlaceOf(uint64_t reader) const;
  };
  static size_t PlacesFor(size_t readers);
  static Note* Make(std::string_view key, size_t readers);
  static Note* Grown(const Note& note);
  TableSlot* Find(const Key& key) const {
    return notes_.Find(key.hash, [&](const Note& note) { return SameBytes(note.key(), key.bytes); });
  }

  Table<Note> notes_;
  uint64_t items_ = 0;
};

}  // namespace cinnabar::keyspace
