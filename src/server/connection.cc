#include "server/connection.h"

#include <algorithm>
#include <cstring>

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

// The bytes are kept; a block of which a part was lent belongs to the owner of that part.
void InputBuffer::Reserve(size_t capacity) {
  if (bytes_ && bytes_.unique()) {
    bytes_.set_size(size_);
    return bytes_.Reserve(capacity);
  }
  SharedBytes fresh = SharedBytes::Allocate(size_, capacity);
  if (size_ > 0) std::memcpy(fresh.data(), bytes_.data(), size_);
  bytes_ = std::move(fresh);
}

SharedBytes InputBuffer::Lend(std::string_view part) {
  const std::string_view held = view();
  const bool inside = part.data() >= held.data() && part.data() + part.size() <= held.data() + held.size();
  if (!inside || part.size() < capacity() - capacity() / 8) return {};
  return SharedBytes::Slice(bytes_, part);
}

// What is reserved for a request of a known size has kRoomMin bytes more than the request: it is never grown
// again when its last bytes are still to come and leave little room.
void InputBuffer::MakeRoom(size_t wanted) {
  const size_t needed = std::max(size_, wanted) + kRoomMin;
  if (capacity() >= wanted && room() >= kRoomMin) return;
  Reserve(std::max(needed, capacity() * 2));
}

void InputBuffer::Append(std::string_view bytes, size_t wanted) {
  MakeRoom(std::max(wanted, size_ + bytes.size()));
  std::memcpy(tail(), bytes.data(), bytes.size());
  Grown(bytes.size());
}

void InputBuffer::Consume(size_t count) {
  size_ -= count;
  if (bytes_ && !bytes_.unique()) {
    // A large value is often followed by another. Memory that is not used yet costs little.
    const SharedBytes lent = std::move(bytes_);
    bytes_ = SharedBytes::Allocate(0, lent.capacity());
    if (size_ > 0) std::memcpy(bytes_.data(), lent.view().data() + count, size_);
  } else if (size_ > 0 && count > 0) {
    std::memmove(bytes_.data(), bytes_.data() + count, size_);
  }
}

void InputBuffer::Shrink() {
  if (size_ == 0) return Release();
  if (capacity() > size_) Reserve(size_);
}

void InputBuffer::Release() {
  bytes_ = SharedBytes();
  peak_ = 0;
}

}  // namespace cinnabar::server
