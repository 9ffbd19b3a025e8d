#include "cluster/slots.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace cinnabar::cluster {
namespace {

using Bytes = std::array<uint8_t, kSlotBytes>;

std::vector<int> Listed(const SlotSet& slots) {
  std::vector<int> listed;
  slots.ForEach([&](int slot) { listed.push_back(slot); });
  return listed;
}

TEST(SlotSet, HasWhatWasAdded) {
  SlotSet slots;
  EXPECT_TRUE(slots.empty());
  for (const int slot : {0, 63, 64, 8191, kSlots - 1}) {
    EXPECT_FALSE(slots.Has(slot)) << slot;
    slots.Add(slot);
    slots.Add(slot);
    EXPECT_TRUE(slots.Has(slot)) << slot;
  }
  EXPECT_EQ(slots.Count(), 5);
  EXPECT_EQ(Listed(slots), (std::vector<int>{0, 63, 64, 8191, kSlots - 1}));
  slots.Remove(64);
  slots.Remove(65);
  EXPECT_FALSE(slots.Has(64));
  EXPECT_EQ(slots.Count(), 4);
  slots.Clear();
  EXPECT_TRUE(slots.empty());
  EXPECT_TRUE(slots.Ranges().empty());
}

TEST(SlotSet, RangesAreAsLongAsTheyCanBe) {
  SlotSet slots;
  for (int slot = 0; slot < kSlots; ++slot) slots.Add(slot);
  EXPECT_EQ(slots.Ranges(), (std::vector<SlotRange>{{0, kSlots - 1}}));
  slots.Remove(127);
  slots.Remove(129);
  EXPECT_EQ(slots.Ranges(), (std::vector<SlotRange>{{0, 126}, {128, 128}, {130, kSlots - 1}}));
}

TEST(SlotSet, BitsOnTheWire) {
  SlotSet slots;
  slots.Add(0);
  slots.Add(7);
  slots.Add(10);
  slots.Add(kSlots - 1);
  Bytes bytes;
  slots.Write(bytes);
  EXPECT_EQ(bytes[0], 0x81);
  EXPECT_EQ(bytes[1], 0x04);
  EXPECT_EQ(bytes[kSlotBytes - 1], 0x80);
  bytes[2] = 0x20;
  EXPECT_EQ(Listed(SlotSet::Read(bytes)), (std::vector<int>{0, 7, 10, 21, kSlots - 1}));
}

TEST(SlotSet, DoesAsASetOfNumbers) {
  const uint64_t seed = 20240613;
  SCOPED_TRACE(seed);
  Random random(seed);
  SlotSet slots;
  std::set<int> model;
  for (int step = 0; step < 20'000; ++step) {
    const int slot = static_cast<int>(random.Uniform(kSlots));
    if (random.OneIn(3)) {
      slots.Remove(slot);
      model.erase(slot);
    } else {
      slots.Add(slot);
      model.insert(slot);
    }
    ASSERT_EQ(slots.Has(slot), model.contains(slot));
  }
  EXPECT_EQ(slots.Count(), static_cast<int>(model.size()));
  EXPECT_EQ(Listed(slots), std::vector<int>(model.begin(), model.end()));
  SlotSet from_ranges;
  for (const SlotRange& range : slots.Ranges()) {
    EXPECT_FALSE(range.first > 0 && slots.Has(range.first - 1));
    for (int slot = range.first; slot <= range.last; ++slot) from_ranges.Add(slot);
  }
  EXPECT_EQ(from_ranges, slots);
  Bytes bytes;
  slots.Write(bytes);
  EXPECT_EQ(SlotSet::Read(bytes), slots);
}

}  // namespace
}  // namespace cinnabar::cluster
