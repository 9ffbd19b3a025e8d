#include "server/connection.h"

#include <algorithm>

#include "base/check.h"

namespace cinnabar::server {

bool MayFollow(ConnectionState from, ConnectionState to) {
  using enum ConnectionState;
  switch (to) {
    case kOpen:
      return from == kInTurn || from == kPostponed || from == kBlocked || from == kSuspended;
    case kInTurn:
      return from == kOpen;
    case kPostponed:
    case kBlocked:
    case kSuspended:
      return from == kInTurn;
    case kClosing:
      return from != kInTurn && from != kClosing;
  }
  return false;
}

bool Connection::Consistent() const {
  using enum ConnectionState;
  const bool agrees = state_ == kClosing ? session.closing == dispatch::Closing::kNow : state_ == AfterTurn();
  const bool asks = (wanted & net::kReadable) != 0;
  const bool asks_rightly = asks == (state_ == kOpen) || (asks && session.waits_for_others);
  return agrees && asks_rightly && reported == transport->Interest(wanted);
}

void InputBuffer::Reserve(size_t capacity) {
  data_ = static_cast<char*>(std::realloc(data_, capacity));
  CHECK(data_ != nullptr);
  capacity_ = capacity;
}

// What is reserved for a request of a known size has kRoomMin bytes more than the request: it is never grown
// again when its last bytes are still to come and leave little room.
void InputBuffer::MakeRoom(size_t wanted) {
  const size_t needed = std::max(size_, wanted) + kRoomMin;
  if (capacity_ >= wanted && room() >= kRoomMin) return;
  Reserve(std::max(needed, capacity_ * 2));
}

void InputBuffer::Append(std::string_view bytes, size_t wanted) {
  MakeRoom(std::max(wanted, size_ + bytes.size()));
  std::memcpy(tail(), bytes.data(), bytes.size());
  Grown(bytes.size());
}

void InputBuffer::Consume(size_t count) {
  size_ -= count;
  if (size_ > 0 && count > 0) std::memmove(data_, data_ + count, size_);
}

void InputBuffer::Shrink() {
  if (size_ == 0) return Release();
  if (capacity_ > size_) Reserve(size_);
}

void InputBuffer::Release() {
  std::free(data_);
  data_ = nullptr;
  capacity_ = peak_ = 0;
}

}  // namespace cinnabar::server
