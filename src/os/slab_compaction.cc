#include "os/slab_compaction.h"

#include <bit>
#include <cstring>

// jemalloc(3), where the program is linked with it.
extern "C" {
[[gnu::weak]] int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                          size_t new_size);
[[gnu::weak]] int mallctlnametomib(const char* name, size_t* parts, size_t* count);
[[gnu::weak]] int mallctlbymib(const size_t* parts, size_t count, void* old_value, size_t* old_size,
                               void* new_value, size_t new_size);
[[gnu::weak]] void* mallocx(size_t size, int flags);
[[gnu::weak]] void dallocx(void* block, int flags);
[[gnu::weak]] size_t sallocx(const void* block, int flags);
}

namespace cinnabar::os {
namespace {

// What the flags of mallocx are made of: MALLOCX_TCACHE_NONE, and MALLOCX_LG_ALIGN(n) is n.
constexpr int kPastTheThreadCache = 0x100;

// One place in so many is a noticeable part of a slab.
constexpr size_t kNoticeable = 8;

// What `experimental.utilization.query` answers about a block.
struct Utilization {
  const char* current_slab;  // that new blocks of this size come from
  size_t free_in_slab;
  size_t places_in_slab;
  size_t slab_bytes;
  size_t free_in_class;  // in all slabs of this size and arena
  size_t places_in_class;
};

}  // namespace

bool SlabCompaction::Possible() {
  return SlabCompaction().query_parts_ != 0;
}

SlabCompaction::SlabCompaction() {
  if (mallctlnametomib == nullptr || mallctlbymib == nullptr || mallocx == nullptr || dallocx == nullptr ||
      sallocx == nullptr) {
    return;
  }
  size_t parts = kNameParts;
  if (mallctlnametomib("experimental.utilization.query", query_, &parts) == 0) query_parts_ = parts;
}

void SlabCompaction::FlushThreadCache() {
  if (mallctl != nullptr) mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
}

bool SlabCompaction::WorthMoving(const void* block) const {
  Utilization found{};
  size_t size = sizeof found;
  if (query_parts_ == 0 ||
      mallctlbymib(query_, query_parts_, &found, &size, static_cast<void*>(&block), sizeof block) != 0) {
    return false;
  }
  if (found.free_in_slab == 0 || found.places_in_slab < 2) return false;
  const auto* bytes = static_cast<const char*>(block);
  if (bytes >= found.current_slab && bytes < found.current_slab + found.slab_bytes) return false;
  // All that is free together must be worth a slab.
  if (found.free_in_class < found.places_in_slab) return false;
  if (rule_ == Rule::kThorough && found.free_in_slab * kNoticeable >= found.places_in_slab) return true;
  return found.free_in_slab * found.places_in_class >= found.free_in_class * found.places_in_slab;
}

void* SlabCompaction::MoveBlock(void* block, size_t alignment) {
  if (!WorthMoving(block)) return block;
  const size_t size = sallocx(block, 0);
  void* moved = mallocx(size, kPastTheThreadCache | std::countr_zero(alignment));
  if (moved == nullptr) return block;
  std::memcpy(moved, block, size);
  dallocx(block, kPastTheThreadCache);
  return moved;
}

}  // namespace cinnabar::os
