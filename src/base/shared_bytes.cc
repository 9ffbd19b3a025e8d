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
  block->whole = nullptr;
  block->data = reinterpret_cast<char*>(block + 1);
  return Adopt(block);
}

SharedBytes SharedBytes::Slice(const SharedBytes& whole, std::string_view part) {
  SharedBytes result = Allocate(0, 0);
  result.block_->size = result.block_->capacity = part.size();
  result.block_->whole = SharedBytes(whole).Detach();
  result.block_->data = const_cast<char*>(part.data());
  return result;
}

void SharedBytes::Reserve(size_t capacity) {
  void* memory = std::realloc(static_cast<void*>(block_), sizeof(Block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  block_ = static_cast<Block*>(memory);
  block_->capacity = capacity;
  block_->data = reinterpret_cast<char*>(block_ + 1);
}

SharedBytes SharedBytes::Copy(std::string_view bytes, size_t capacity) {
  SharedBytes result = Allocate(bytes.size(), capacity);
  if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

void SharedBytes::Release(Block* block) {
  if (block == nullptr) return;
  if (block->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Release(block->whole);
  std::free(block);
}

}  // namespace cinnabar
