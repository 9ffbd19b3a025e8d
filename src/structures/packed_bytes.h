// PackedBytes: the bytes of a packed collection (listpack, intset, pairs), wherever they live: in a keyspace
// entry, in a node of a large structure, or on the heap. Who changes a packed collection asks for room here.
//
// Not thread-safe: who owns the bytes decides.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace cinnabar {

class PackedBytes {
 public:
  PackedBytes(const PackedBytes&) = delete;
  PackedBytes& operator=(const PackedBytes&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }

  // Changes the length. The first min(old, new) bytes stay, those behind them are undefined; all may move.
  virtual void Resize(size_t size) = 0;

 protected:
  PackedBytes() = default;
  ~PackedBytes() = default;
  char* data_ = nullptr;
  size_t size_ = 0;
};

// On the heap, owned.
class HeapBytes final : public PackedBytes {
 public:
  HeapBytes() = default;
  explicit HeapBytes(std::string_view bytes) {
    Resize(bytes.size());
    if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
  }
  HeapBytes(HeapBytes&& other) noexcept { *this = std::move(other); }
  HeapBytes& operator=(HeapBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~HeapBytes() { std::free(data_); }

  void Resize(size_t size) override {
    data_ = static_cast<char*>(std::realloc(data_, size == 0 ? 1 : size));
    CHECK(data_ != nullptr);
    size_ = size;
  }
};

}  // namespace cinnabar
