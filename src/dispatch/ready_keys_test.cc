#include "dispatch/ready_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/random.h"

namespace cinnabar::dispatch {
namespace {

ReadyKey Key(uint64_t number) {
  return {static_cast<int>(number % 2), std::to_string(number / 2), number / 4};
}

// Against a vector that is looked through, with few keys and with many.
TEST(ReadyKeys, BehavesLikeAVectorWithoutRepetitions) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (const uint64_t range : {4, 40, 400}) {
    ReadyKeys keys;
    std::vector<ReadyKey> model;
    for (int step = 0; step < 5000; ++step) {
      if (random.Uniform(100) < 60) {
        const ReadyKey key = Key(random.Uniform(range));
        keys.Add(key);
        if (std::find(model.begin(), model.end(), key) == model.end()) model.push_back(key);
      } else if (random.OneIn(50)) {
        const auto goes = [](const ReadyKey& key) { return key.hash % 3 == 0; };
        std::vector<ReadyKey> taken;
        std::copy_if(model.begin(), model.end(), std::back_inserter(taken), goes);
        std::erase_if(model, goes);
        ASSERT_EQ(keys.TakeIf(goes), taken);
      } else if (!model.empty()) {
        ASSERT_EQ(keys.TakeFirst(), model.front());
        model.erase(model.begin());
      }
      ASSERT_EQ(keys.size(), model.size());
      ASSERT_EQ(keys.empty(), model.empty());
    }
  }
}

}  // namespace
}  // namespace cinnabar::dispatch
