// Entry: one key with everything that belongs to it, in one allocation.
//
//   +------+-------------------+---------+-----------+-----------------+---------------+-----+-------+
//   | kind | flags + clock (4) | key len | value len | expiry (8, opt) | key len (4, o)| key | value |
//   +------+-------+-----------+---------+-----------+-----------------+---------------+-----+-------+
//   0      1                   5         6           8
//
// kind   = type (low 4 bits) and where the value is (high 4 bits, `Place`).
// clock  = 30 bits for the eviction policy, above the two flags: see access_clock.h.
// key len is one byte; 255 means that four bytes before the key hold it. Multi-byte fields are little-endian
// and unaligned. The expiry field may be present and unused (kNever): it is not removed before a
// reallocation.
//
// An Entry is plain memory: created, resized and freed through the functions here, by the holder of its
// shard.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/clock.h"
#include "base/relocation.h"
#include "base/shared_bytes.h"
#include "types/value.h"

namespace cinnabar::keyspace {

// Where an entry keeps its value.
enum class Place : uint8_t {
  kInline,   // the bytes of a string, after the key
  kInteger,  // an int64, after the key
  kShared,   // a SharedBytes::Block*, after the key
  kObject,   // a types::Value*, after the key
};

inline constexpr Millis kNever = std::numeric_limits<Millis>::max();

class Entry {
 public:
  static constexpr size_t kInlineMax = 1024;

  // What a new value is made of: `bytes` for kInline, `word` for the others.
  struct Payload {
    types::Type type = types::Type::kString;
    Place place = Place::kInline;
    std::string_view bytes;
    uint64_t word = 0;
  };

  static Entry* Create(std::string_view key, const Payload& payload, Millis expiry);
  // Frees the entry and its value.
  static void Destroy(Entry* entry);
  // Frees the entry alone; its value was taken out.
  static void Release(Entry* entry);

  // Puts a new value in place of the old one (which is freed) and returns the entry, perhaps at a new
  // address. The key and the expiry stay.
  [[nodiscard]] static Entry* Replace(Entry* entry, const Payload& payload);
  // Takes the value out, into an entry without a name. The other keeps its key and expiry, and has any value
  // that is cheap to free. REQUIRES: the value is not inline.
  [[nodiscard]] static Entry* TakeValue(Entry& entry);
  // Changes the length of an inline value; new bytes are zero.
  [[nodiscard]] static Entry* ResizeInline(Entry* entry, size_t size);
  [[nodiscard]] static Entry* SetExpiry(Entry* entry, Millis expiry);
  // A copy with another key; the value is cloned.
  static Entry* Clone(const Entry& entry, std::string_view key);
  // A copy with another key that takes the value over; `entry` is freed.
  static Entry* Rename(Entry* entry, std::string_view key);

  // Offers the entry's own blocks, at last that of the entry, and returns where that is now. What belongs to
  // an object is offered by the object.
  [[nodiscard]] static Entry* Relocate(Entry* entry, Relocation& relocation);

  types::Type type() const { return static_cast<types::Type>(kind_ & 15); }
  Place place() const { return static_cast<Place>(kind_ >> 4); }

  std::string_view key() const {
    const char* p = body() + expiry_bytes();
    if (key_length_ != kLongKey) return {p, key_length_};
    uint32_t length;
    std::memcpy(&length, p, 4);
    return {p + 4, length};
  }

  bool has_expiry() const { return expiry() != kNever; }
  Millis expiry() const {
    if ((flags() & kExpiryField) == 0) return kNever;
    Millis at;
    std::memcpy(&at, body(), 8);
    return at;
  }
  bool expired(Millis now) const { return (flags() & kExpiryField) != 0 && expiry() <= now; }

  std::string_view inline_bytes() const { return {value(), value_length_}; }
  char* inline_data() { return const_cast<char*>(value()); }
  uint64_t word() const {
    uint64_t word;
    std::memcpy(&word, value(), 8);
    return word;
  }
  int64_t integer() const { return static_cast<int64_t>(word()); }
  void set_word(uint64_t word) { std::memcpy(const_cast<char*>(value()), &word, 8); }
  SharedBytes::Block* block() const { return reinterpret_cast<SharedBytes::Block*>(word()); }
  types::Value* object() const { return reinterpret_cast<types::Value*>(word()); }

  // A string changed in place: OBJECT ENCODING says `raw` whatever its length.
  bool raw() const { return (flags() & kRawFlag) != 0; }
  void set_raw(bool raw) {
    const uint32_t rest = flags_and_clock() & ~uint32_t{kRawFlag};
    set_flags_and_clock(raw ? rest | kRawFlag : rest);
  }

  uint32_t clock() const { return flags_and_clock() >> kFlagBits; }
  void set_clock(uint32_t clock) { set_flags_and_clock(flags() | clock << kFlagBits); }

  // Whether freeing it takes longer than handing it over to another thread.
  bool slow_to_free() const;

  // Bytes of the allocation itself.
  size_t size() const {
    return static_cast<size_t>(value() - reinterpret_cast<const char*>(this)) + value_bytes();
  }

 private:
  static constexpr uint8_t kLongKey = 255;
  static constexpr uint8_t kExpiryField = 1, kRawFlag = 2;
  static constexpr int kFlagBits = 2;

  uint8_t flags() const { return flags_and_clock_[0] & ((1 << kFlagBits) - 1); }
  uint32_t flags_and_clock() const {
    uint32_t both;
    std::memcpy(&both, flags_and_clock_, 4);
    return both;
  }
  void set_flags_and_clock(uint32_t both) { std::memcpy(flags_and_clock_, &both, 4); }

  const char* body() const { return reinterpret_cast<const char*>(this) + sizeof(Entry); }
  size_t expiry_bytes() const { return (flags() & kExpiryField) != 0 ? 8 : 0; }
  const char* value() const {
    std::string_view k = key();
    return k.data() + k.size();
  }
  size_t value_bytes() const { return place() == Place::kInline ? value_length_ : 8; }
  static Entry* Allocate(std::string_view key, bool expiry_field, size_t value_bytes);
  static void FreeValue(Entry* entry);
  void SetKind(types::Type type, Place place) {
    kind_ = static_cast<uint8_t>(static_cast<unsigned>(type) | static_cast<unsigned>(place) << 4);
  }
  void StorePayload(const Payload& payload);

  uint8_t kind_;
  uint8_t flags_and_clock_[4];
  uint8_t key_length_;
  uint16_t value_length_;
};
static_assert(sizeof(Entry) == 8 && alignof(Entry) == 2);

}  // namespace cinnabar::keyspace
