#include "structures/ordered_chunks.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/random.h"

namespace cinnabar {
namespace {

struct Item {
  uint64_t id;
  uint64_t value;
  uint64_t key() const { return id; }
};

using Chunks = OrderedChunks<Item>;
using Model = std::map<uint64_t, uint64_t>;

void ExpectSame(const Chunks& chunks, const Model& model) {
  ASSERT_EQ(chunks.size(), model.size());
  auto expected = model.begin();
  chunks.ForEach([&](const Item& item) {
    ASSERT_NE(expected, model.end());
    EXPECT_EQ(item.id, expected->first);
    EXPECT_EQ(item.value, expected->second);
    ++expected;
  });
  if (model.empty()) return;
  EXPECT_EQ(chunks.front().id, model.begin()->first);
  EXPECT_EQ(chunks.back().id, model.rbegin()->first);
  auto backwards = model.rbegin();
  for (auto at = chunks.End(); at != chunks.First();) {
    at = chunks.Previous(at);
    EXPECT_EQ(chunks.At(at).id, backwards->first);
    ++backwards;
  }
}

// How a run treats its ends: logs append and trim, others are touched anywhere.
struct Habit {
  uint64_t append_of_100;
  uint64_t front_of_100;
};

void PlayAgainstModel(uint64_t seed, Habit habit) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Chunks chunks;
  Model model;
  uint64_t next = 1;
  const uint64_t grow = 2 + random.Uniform(3);  // of 5
  for (int step = 0; step < 6000; ++step) {
    const bool growing = (step / 1500) % 2 == 0;
    if (random.Uniform(5) < (growing ? grow : 5 - grow)) {
      const uint64_t key = random.Uniform(100) < habit.append_of_100 ? next : random.Uniform(next + 1);
      next = std::max(next, key) + random.Uniform(3);
      if (model.contains(key)) continue;
      chunks.Insert({key, static_cast<uint64_t>(step)});
      model[key] = static_cast<uint64_t>(step);
    } else if (!model.empty()) {
      const uint64_t wanted =
          random.Uniform(100) < habit.front_of_100 ? model.begin()->first : random.Uniform(next + 1);
      const auto after = model.upper_bound(wanted);
      const uint64_t expected_next = after == model.end() ? 0 : after->first;
      const auto at = chunks.Lower(wanted);
      const bool there = at != chunks.End() && chunks.At(at).id == wanted;
      ASSERT_EQ(there, model.erase(wanted) == 1);
      if (!there) continue;
      const auto behind = chunks.Erase(at);
      ASSERT_EQ(behind == chunks.End() ? 0 : chunks.At(behind).id, expected_next);
    }
    const uint64_t probe = random.Uniform(next + 2);
    const Item* found = chunks.Find(probe);
    ASSERT_EQ(found != nullptr, model.contains(probe));
    const auto lower = model.lower_bound(probe);
    const auto at = chunks.Lower(probe);
    ASSERT_EQ(at == chunks.End(), lower == model.end());
    if (lower != model.end()) {
      ASSERT_EQ(chunks.At(at).id, lower->first);
    }
    if (step % 500 == 0) ExpectSame(chunks, model);
  }
  ExpectSame(chunks, model);
  ExpectSame(Chunks(chunks), model);
  while (!chunks.empty()) chunks.Erase(chunks.First());
  EXPECT_EQ(chunks.allocations(), 0u);
  EXPECT_EQ(chunks.memory(), 0u);
}

TEST(OrderedChunksTest, AgreesWithAMap) {
  std::random_device device;
  for (int run = 0; run < 10; ++run) {
    PlayAgainstModel(device(), {.append_of_100 = 95, .front_of_100 = 90});
    PlayAgainstModel(device(), {.append_of_100 = 20, .front_of_100 = 20});
    PlayAgainstModel(device(), {.append_of_100 = 80, .front_of_100 = 5});
  }
}

TEST(OrderedChunksTest, AQueueStaysSmall) {
  Chunks chunks;
  for (uint64_t id = 0; id < 100000; ++id) {
    chunks.Insert({id, 0});
    if (id >= 50) chunks.Erase(chunks.First());
  }
  EXPECT_EQ(chunks.size(), 50u);
  EXPECT_LT(chunks.memory(), 16384u);
}

}  // namespace
}  // namespace cinnabar
