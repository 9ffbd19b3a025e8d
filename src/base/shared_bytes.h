// SharedBytes: one heap block of bytes with a count of owners.
//
// A large string value is such a block, and a reply that carries it holds a second reference instead of a
// copy: the socket may drain it long after the command has run. A writer that wants to change the bytes must
// be the only owner (`unique()`), else it changes a clone. The count is atomic because the last reader may
// sit on another core.
//
// A slice is a block of its own that holds a reference to a larger one, in which its bytes lie: a large value
// stays where the network has put it. Slices are never changed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace cinnabar {

class SharedBytes {
 public:
  struct Block {
    std::atomic<uint32_t> owners;
    uint64_t size;
    uint64_t capacity;
    Block* whole;  // of a slice: holds a reference to it. Null: the bytes follow the block
    char* data;

    // Whether its owner may change the bytes.
    bool unique() const { return owners.load(std::memory_order_acquire) == 1 && whole == nullptr; }
  };

  SharedBytes() = default;
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  SharedBytes& operator=(const SharedBytes& other) { return *this = SharedBytes(other); }
  ~SharedBytes() { Release(block_); }

  // A block of `size` uninitialised bytes.
  static SharedBytes Allocate(size_t size, size_t capacity);
  static SharedBytes Copy(std::string_view bytes, size_t capacity = 0);
  // REQUIRES: `part` lies within the bytes of `whole`, up to its capacity, and they are not changed any more.
  static SharedBytes Slice(const SharedBytes& whole, std::string_view part);

  // Hands the reference over as a raw pointer, to be stored elsewhere and taken back with Adopt.
  Block* Detach() { return std::exchange(block_, nullptr); }
  static SharedBytes Adopt(Block* block) {
    SharedBytes result;
    result.block_ = block;
    return result;
  }
  // A further reference to a block that somebody else keeps alive meanwhile.
  static SharedBytes Share(Block* block) {
    block->owners.fetch_add(1, std::memory_order_relaxed);
    return Adopt(block);
  }

  explicit operator bool() const { return block_ != nullptr; }
  uint32_t owners() const { return block_->owners.load(std::memory_order_relaxed); }
  bool unique() const { return block_->unique(); }
  size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity; }
  char* data() { return block_->data; }
  std::string_view view() const {
    return block_ == nullptr ? std::string_view() : std::string_view(block_->data, block_->size);
  }
  // REQUIRES: unique(), size <= capacity().
  void set_size(size_t size) { block_->size = size; }
  // REQUIRES: unique(), size() <= capacity. The bytes may move; the first size() are kept.
  void Reserve(size_t capacity);

  static void Release(Block* block);

 private:
  Block* block_ = nullptr;
};

}  // namespace cinnabar
