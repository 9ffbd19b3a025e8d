#include "base/shared_bytes.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace cinnabar {

SharedBytes SharedBytes::Allocate(size_t size, size_t capacity) {
  if (capacity < size) capacity = size;
  void* memory = std::malloc(sizeof(Block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  Block* block = new (memory) Block;
  block->owners.store(1, std::memory_order_relaxed);
  block->size = size;
  block->capacity = capacity;
  return Adopt(block);
}

SharedBytes SharedBytes::Copy(std::string_view bytes, size_t capacity) {
  SharedBytes result = Allocate(bytes.size(), capacity);
  if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

void SharedBytes::Release(Block* block) {
  if (block == nullptr) return;
  if (block->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(block);
}

}  // namespace cinnabar
