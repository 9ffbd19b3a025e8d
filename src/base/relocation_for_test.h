// A Relocation for tests: moves blocks at random, so that code that keeps an old address is caught by a
// sanitizer, and remembers nothing.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/random.h"
#include "base/relocation.h"

namespace cinnabar {

class RandomRelocation final : public Relocation {
 public:
  // Of `percent` in a hundred blocks.
  RandomRelocation(Random& random, uint64_t percent) : random_(random), percent_(percent) {}

 private:
  void* MoveBlock(void* block, size_t alignment) override {
    if (random_.Uniform(100) >= percent_) return block;
    const size_t size = malloc_usable_size(block);
    void* moved = alignment > 1
                      ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                      : std::malloc(size);
    CHECK(moved != nullptr);
    std::memcpy(moved, block, size);
    std::free(block);
    return moved;
  }

  Random& random_;
  const uint64_t percent_;
};

}  // namespace cinnabar
