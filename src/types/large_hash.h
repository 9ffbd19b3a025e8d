// LargeHash: a hash that has outgrown its packed form, or whose fields may expire.
//
// One allocation for each field, found through a table of one cache line per bucket:
//
//   [2 * name length + timed][value length][name][value][expiry: 8 bytes, only if timed]
//
// The lengths take one byte up to 252; 253, 254 and 255 say that two, four or eight bytes follow. A field of
// 16 bytes with a value of 10 fits an allocation of 32 bytes, its slot takes another 10.
//
// Fields that expire are also listed in a heap of (moment, hash of the name), so that finding what has
// expired costs no walk over the others. A timer of a field that was changed or erased stays in the heap: it
// finds no field with its moment and is dropped then, or when such timers outnumber the living. The first
// timer is therefore a lower bound.
//
// Expired fields stay until somebody takes them out (TakeExpired): this class does not hide them, `Hash`
// does.
//
// Not thread-safe: the caller holds the key's shard. A Slot and the views of a field die with the next
// change.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/same_bytes.h"
#include "structures/table.h"
#include "types/value.h"

namespace cinnabar::types {

inline constexpr Millis kNeverExpires = std::numeric_limits<Millis>::max();

// A field of a LargeHash: plain memory, made and freed by LargeHash alone.
class HashField {
 public:
  static HashField* Create(std::string_view name, std::string_view value, Millis expiry);
  static void Destroy(HashField* field);
  // Another value, another expiry: at a new address, perhaps. `value` may not point into the field.
  [[nodiscard]] static HashField* Change(HashField* field, std::string_view value, Millis expiry);
  [[nodiscard]] static HashField* SetExpiry(HashField* field, Millis expiry);

  std::string_view name() const { return Read().name; }
  std::string_view value() const { return Read().value; }
  bool timed() const { return (bytes()[0] <= kOneByteMost ? bytes()[0] : ReadHead()) & 1; }
  Millis expiry() const { return timed() ? Read().expiry() : kNeverExpires; }
  // Bytes of the allocation, as they were asked for.
  size_t size() const;

 private:
  static constexpr uint8_t kOneByteMost = 252;
  struct Parts {
    std::string_view name;
    std::string_view value;
    Millis expiry() const {
      Millis at;
      std::memcpy(&at, value.data() + value.size(), 8);
      return at;
    }
  };

  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }
  static const uint8_t* ReadLength(const uint8_t* from, uint64_t& length) {
    if (*from <= kOneByteMost) [[likely]] {
      length = *from;
      return from + 1;
    }
    return ReadLongLength(from, length);
  }
  static const uint8_t* ReadLongLength(const uint8_t* from, uint64_t& length);
  uint64_t ReadHead() const {
    uint64_t head;
    ReadLength(bytes(), head);
    return head;
  }
  Parts Read() const {
    uint64_t head, value_length;
    const uint8_t* p = ReadLength(bytes(), head);
    p = ReadLength(p, value_length);
    const char* text = reinterpret_cast<const char*>(p);
    const size_t name_length = head / 2;
    return {{text, name_length}, {text + name_length, value_length}};
  }
  static size_t LengthBytes(uint64_t length);
  static uint8_t* WriteLength(uint8_t* to, uint64_t length);
  static size_t SizeFor(size_t name, size_t value, Millis expiry);
};

class LargeHash final : public Value {
 public:
  using Slot = TableSlot;
  // Whether it is kept in this form only because its fields expire, small as it is.
  enum class Size : uint8_t { kSmall, kLarge };

  explicit LargeHash(Size size_class = Size::kLarge);
  ~LargeHash() override;
  LargeHash(const LargeHash&) = delete;
  LargeHash& operator=(const LargeHash&) = delete;

  Type type() const override { return Type::kHash; }
  std::string_view encoding() const override {
    return size_class_ == Size::kSmall ? "listpackex" : "hashtable";
  }
  size_t memory(size_t samples) const override;
  size_t free_effort() const override { return table_.size(); }
  std::unique_ptr<Value> Clone() const override;
  bool RelocateSome(Relocation& relocation, RelocationCursor& cursor) override;

  Size size_class() const { return size_class_; }
  void set_size_class(Size size_class) { size_class_ = size_class; }

  // With those that have expired and are still here.
  size_t size() const { return table_.size(); }
  size_t timed() const { return table_.marked(); }
  // No field expires before this moment.
  Millis next_expiry() const { return timers_.empty() ? kNeverExpires : timers_.front().at; }

  uint64_t HashOf(std::string_view name) const { return HashBytes(name, seed_); }
  static HashField& FieldOf(const Slot& slot) { return *slot.entry<HashField>(); }

  Slot* Find(std::string_view name, uint64_t hash) {
    return table_.Find(hash, [&](const HashField& field) { return SameBytes(field.name(), name); });
  }
  // REQUIRES: no such field.
  void Insert(std::string_view name, uint64_t hash, std::string_view value, Millis expiry = kNeverExpires);
  void Replace(Slot& slot, uint64_t hash, std::string_view value, Millis expiry);
  void SetExpiry(Slot& slot, uint64_t hash, Millis expiry);
  void Erase(Slot* slot, uint64_t hash);

  // Erases up to `limit` fields that have expired, and gives their names.
  std::vector<std::string> TakeExpired(Millis now, size_t limit);
  // How many fields here have expired: no work while next_expiry() is to come, else in proportion to them.
  size_t CountExpired(Millis now) const;

  // `visit(const HashField&)` for all fields.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (size_t bucket = 0; bucket < table_.bucket_count(); ++bucket) {
      if (bucket + 1 < table_.bucket_count()) {
        table_.VisitBucket(bucket + 1, [](Slot& slot) { Prefetch(slot.entry<char>()); });
      }
      table_.VisitBucket(bucket, [&](Slot& slot) { visit(std::as_const(FieldOf(slot))); });
    }
  }
  // The fields of one bucket; gives the next cursor, 0 at the end.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    return table_.Scan(cursor, [&](Slot& slot) { visit(std::as_const(FieldOf(slot))); });
  }
  // Any field, each with the same chance. REQUIRES: size() > 0.
  template <typename Random>
  const HashField& Sample(Random&& random) const {
    return FieldOf(*table_.Sample(random));
  }

 private:
  struct Timer {
    Millis at;
    uint64_t hash;
    bool operator==(const Timer&) const = default;
  };
  // Orders std heaps by the earliest.
  struct Later {
    bool operator()(const Timer& a, const Timer& b) const { return a.at > b.at; }
  };

  // The field that a timer stands for; null when it has been changed or erased.
  Slot* FieldOfTimer(const Timer& timer) const;
  void AddTimer(Timer timer);
  void DropTimer(size_t node);
  // The field has another expiry now.
  void NoteExpiry(Slot& slot, uint64_t hash, Millis expiry);
  void CollectExpired(size_t node, Millis now, std::vector<Timer>& expired) const;

  mutable Table<HashField> table_;  // reading hands out slots, too
  std::vector<Timer> timers_;       // a heap, the earliest first
  size_t probe_ = 0;                // where timers that stand for nothing were looked for last
  uint64_t seed_;
  size_t field_bytes_ = 0;
  Size size_class_;
};

}  // namespace cinnabar::types
