// FlatVector: a growing array of trivially copyable elements whose size is a plain counter and which can be
// extended without initialising what will be written at once anyway. For the hot path's scratch arrays.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace cinnabar {

template <typename T>
class FlatVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  FlatVector() = default;
  FlatVector(const FlatVector&) = delete;
  FlatVector& operator=(const FlatVector&) = delete;
  FlatVector(FlatVector&& other) noexcept { Swap(other); }
  FlatVector& operator=(FlatVector&& other) noexcept {
    FlatVector taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~FlatVector() { std::free(data_); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& back() { return data_[size_ - 1]; }

  void clear() { size_ = 0; }
  void push_back(const T& value) {
    if (size_ == capacity_) [[unlikely]]
      Grow(size_ + 1);
    data_[size_++] = value;
  }
  // Appends `count` elements that hold anything until the caller has written them; returns the first.
  T* Extend(size_t count) {
    if (capacity_ - size_ < count) [[unlikely]]
      Grow(size_ + count);
    T* first = data_ + size_;
    size_ += count;
    return first;
  }
  // Keeps the first `size` elements. REQUIRES: size <= size().
  void Truncate(size_t size) { size_ = size; }
  // Gives memory back that an unusually large batch has taken.
  void ShrinkTo(size_t capacity) {
    if (capacity_ <= capacity || size_ > capacity) return;
    Reallocate(capacity);
  }

 private:
  void Swap(FlatVector& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  [[gnu::noinline]] void Grow(size_t least) {
    size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
    Reallocate(capacity < least ? least : capacity);
  }
  void Reallocate(size_t capacity) {
    void* memory = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
    capacity_ = capacity;
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace cinnabar
