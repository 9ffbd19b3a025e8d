#include "os/slab_compaction.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "os/allocator.h"

namespace cinnabar::os {
namespace {

TEST(SlabCompaction, MovesWhatIsThinlySpreadTogether) {
  Random random(7);
  std::vector<char*> blocks;
  for (int i = 0; i < 200000; ++i) {
    blocks.push_back(static_cast<char*>(std::malloc(100)));
    std::memset(blocks.back(), i % 100, 100);
  }
  for (char*& block : blocks) {
    if (!random.OneIn(4)) std::free(std::exchange(block, nullptr));
  }
  const AllocatorStats before = ReadAllocatorStats();
  SlabCompaction compaction;
  for (char*& block : blocks) compaction.Follow(block);
  const AllocatorStats after = ReadAllocatorStats();
  if (SlabCompaction::Possible()) {
    EXPECT_GT(before.FragmentationRatio(), 2.0);
    EXPECT_LT(after.FragmentationRatio(), 1.3);
    EXPECT_GT(compaction.moved(), compaction.offers() / 2);
    // What lies together stays where it is.
    const uint64_t moved = compaction.moved();
    for (char*& block : blocks) compaction.Follow(block);
    EXPECT_LT(compaction.moved() - moved, compaction.offers() / 50);
  } else {
    EXPECT_EQ(compaction.moved(), 0u);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i] == nullptr) continue;
    EXPECT_EQ(std::string(blocks[i], 100), std::string(100, static_cast<char>(i % 100)));
    std::free(blocks[i]);
  }
}

TEST(SlabCompaction, LargeAndAlignedBlocksKeepWhatTheyAre) {
  struct alignas(64) Line {
    char bytes[64];
  };
  SlabCompaction compaction;
  auto* large = static_cast<char*>(std::malloc(1 << 20));
  EXPECT_EQ(compaction.Move(large), large);
  std::free(large);
  std::vector<Line*> lines(10000);
  for (Line*& line : lines) line = static_cast<Line*>(std::aligned_alloc(64, sizeof(Line)));
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i % 3 == 0) continue;
    std::free(lines[i]);
    lines[i] = nullptr;
  }
  for (Line*& line : lines) {
    compaction.Follow(line);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(line) % 64, 0u);
    std::free(line);
  }
}

}  // namespace
}  // namespace cinnabar::os
