// Hash slots: a cluster's keys are spread over 16,384 of them, and every slot belongs to one primary.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace cinnabar::cluster {

inline constexpr int kSlots = 16384;
inline constexpr size_t kSlotBytes = kSlots / 8;

static_assert(std::endian::native == std::endian::little);  // SlotSet's words are bytes of the wire

// From `first` to `last`, both included.
struct SlotRange {
  int first = 0;
  int last = 0;

  bool operator==(const SlotRange&) const = default;
};

// A set of slots. On the wire slot N is bit N % 8 of byte N / 8.
class SlotSet {
 public:
  bool Has(int slot) const { return (words_[Word(slot)] >> Bit(slot)) & 1; }
  void Add(int slot) { words_[Word(slot)] |= uint64_t{1} << Bit(slot); }
  void Remove(int slot) { words_[Word(slot)] &= ~(uint64_t{1} << Bit(slot)); }
  void Clear() { words_.fill(0); }
  int Count() const {
    int count = 0;
    for (const uint64_t word : words_) count += std::popcount(word);
    return count;
  }
  bool empty() const { return *this == SlotSet{}; }

  // In ascending order.
  template <typename Visitor>
  void ForEach(Visitor&& visit) const {
    for (size_t index = 0; index < words_.size(); ++index) {
      for (uint64_t left = words_[index]; left != 0; left &= left - 1)
        visit(static_cast<int>(index * 64) + std::countr_zero(left));
    }
  }
  std::vector<SlotRange> Ranges() const {
    std::vector<SlotRange> ranges;
    ForEach([&](int slot) {
      if (!ranges.empty() && ranges.back().last + 1 == slot) {
        ranges.back().last = slot;
      } else {
        ranges.push_back({slot, slot});
      }
    });
    return ranges;
  }

  void Write(std::span<uint8_t, kSlotBytes> bytes) const {
    std::memcpy(bytes.data(), words_.data(), kSlotBytes);
  }
  static SlotSet Read(std::span<const uint8_t, kSlotBytes> bytes) {
    SlotSet slots;
    std::memcpy(slots.words_.data(), bytes.data(), kSlotBytes);
    return slots;
  }

  bool operator==(const SlotSet&) const = default;

 private:
  static size_t Word(int slot) { return static_cast<size_t>(slot) / 64; }
  static int Bit(int slot) { return slot % 64; }

  std::array<uint64_t, kSlots / 64> words_{};
};

}  // namespace cinnabar::cluster
