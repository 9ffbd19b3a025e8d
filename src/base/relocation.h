// Relocation: somebody who may move blocks of memory to better places, as active defragmentation does.
//
// A structure offers each of its blocks and keeps the address that it gets back:
//
//   relocation.Follow(node->bytes);          // bytes = relocation.Move(bytes)
//
// A block is moved by copying its bytes: it must come from malloc, realloc or aligned_alloc, and nothing but
// the one that offers it may know its address. What it points to stays where it is.
//
// The thread that may change the structure calls it, and holds what it needs for that.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cinnabar {

class Relocation {
 public:
  // A structure that works in steps ends one after so many offers: some 50 microseconds.
  static constexpr uint64_t kOffersPerStep = 64;

  virtual ~Relocation() = default;

  // Returns where the block is now. The old address is dead if that is another one. Null stays null.
  template <typename T>
  T* Move(T* block) {
    if (block == nullptr) return nullptr;
    // Alignment beyond what malloc promises.
    constexpr size_t kAlignment = alignof(T) > alignof(std::max_align_t) ? alignof(T) : 1;
    ++offers_;
    void* const now = MoveBlock(static_cast<void*>(block), kAlignment);
    moved_ += now != static_cast<void*>(block);
    return static_cast<T*>(now);
  }
  template <typename T>
  void Follow(T*& block) {
    block = Move(block);
  }

  // How many blocks were offered, and how many of them moved.
  uint64_t offers() const { return offers_; }
  uint64_t moved() const { return moved_; }

 protected:
  // `alignment`: a power of two that the address has to be a multiple of, beyond what malloc promises.
  virtual void* MoveBlock(void* block, size_t alignment) = 0;

 private:
  uint64_t offers_ = 0;
  uint64_t moved_ = 0;
};

// How far the relocation of one large value has come. A value that has changed since then, or is another one,
// takes any numbers: it may leave blocks out, or offer them twice.
struct RelocationCursor {
  uint64_t part = 0;
  uint64_t at = 0;
};

}  // namespace cinnabar
