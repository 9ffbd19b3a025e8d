// SlabCompaction: moves blocks so that fewer pages hold them all.
//
// jemalloc takes small blocks of one size from slabs, and a slab's pages go back to the system only when all
// its blocks are free. A block moves when its slab is emptier than the mean of its size class: the new one
// comes from the slab that is being filled, the old slab comes closer to being empty. Both go past the
// thread's cache, which would only hand out what was freed before. Blocks of full slabs, of the slab that is
// being filled, and large ones stay.
//
// The mean also counts slabs in which nothing is offered. When it leaves nothing to do although much is free,
// kThorough moves blocks of all slabs that are free to a noticeable part.
//
// What slabs hold is asked of jemalloc with `experimental.utilization.query`, some 40 ns for a block; no
// patched allocator is needed.
#pragma once

#include <cstdint>

#include "base/relocation.h"

namespace cinnabar::os {

class SlabCompaction final : public Relocation {
 public:
  // Whether the allocator is one that can be asked. If not, nothing is ever moved.
  static bool Possible();

  SlabCompaction();

  // Gives back what the calling thread's cache holds of slabs that might be empty otherwise. Before a sweep.
  static void FlushThreadCache();

  enum class Rule : uint8_t { kBelowTheMean, kThorough };
  void set_rule(Rule rule) { rule_ = rule; }
  Rule rule() const { return rule_; }

 private:
  void* MoveBlock(void* block, size_t alignment) override;
  bool WorthMoving(const void* block) const;

  static constexpr size_t kNameParts = 4;
  size_t query_[kNameParts] = {};  // the number that the query's name stands for
  size_t query_parts_ = 0;         // 0: not possible
  Rule rule_ = Rule::kBelowTheMean;
};

}  // namespace cinnabar::os
