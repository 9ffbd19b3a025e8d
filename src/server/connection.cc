#include "server/connection.h"

#include <algorithm>

#include "base/check.h"

namespace cinnabar::server {

void InputBuffer::Reserve(size_t capacity) {
  if (capacity <= capacity_) return;
  data_ = static_cast<char*>(std::realloc(data_, capacity));
  CHECK(data_ != nullptr);
  capacity_ = capacity;
}

void InputBuffer::Append(std::string_view bytes) {
  if (bytes.size() > room()) Reserve(std::max(size_ + bytes.size(), capacity_ * 2));
  std::memcpy(tail(), bytes.data(), bytes.size());
  Grown(bytes.size());
}

void InputBuffer::Consume(size_t count) {
  size_ -= count;
  if (size_ > 0 && count > 0) std::memmove(data_, data_ + count, size_);
}

void InputBuffer::Release() {
  std::free(data_);
  data_ = nullptr;
  capacity_ = peak_ = 0;
}

}  // namespace cinnabar::server
