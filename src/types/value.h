// Value: what a key holds when it is not a string. Strings live inside the keyspace entry itself.
//
// A value knows nothing of keys, RESP or threads: its caller holds the key's shard.
//
// Its owner may move it by copying its bytes (base/relocation.h): it is memory of malloc, and none of its
// members points into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

#include "base/relocation.h"

namespace cinnabar::types {

enum class Type : uint8_t { kString, kList, kSet, kSortedSet, kHash, kStream };

// As TYPE answers.
constexpr std::string_view TypeName(Type type) {
  constexpr std::string_view kNames[] = {"string", "list", "set", "zset", "hash", "stream"};
  return kNames[static_cast<size_t>(type)];
}

class Value {
 public:
  virtual ~Value() = default;
  virtual Type type() const = 0;
  // As OBJECT ENCODING answers.
  virtual std::string_view encoding() const = 0;
  // Bytes held on the heap, this object included. With `samples` > 0 large collections are estimated.
  virtual size_t memory(size_t samples) const = 0;
  // Work to free it, in allocations: large ones are freed by a worker thread.
  virtual size_t free_effort() const = 0;
  virtual std::unique_ptr<Value> Clone() const = 0;
  // Offers some of the blocks that belong to the value (not the value's own), and leaves in the cursor where
  // to go on. False when it is through.
  virtual bool RelocateSome(Relocation& relocation, RelocationCursor& cursor) = 0;

  static void* operator new(size_t bytes) {
    void* memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  static void operator delete(void* memory) { std::free(memory); }
};

}  // namespace cinnabar::types
