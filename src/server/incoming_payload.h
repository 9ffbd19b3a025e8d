// A payload that is loaded while it comes: what of it was received and is still needed. So a full
// synchronisation takes no more memory than the data set and a few megabytes.
//
//   Following -> Append ... End
//                bytes() -> DataLoader -> DropBefore, Want
//
// Core 0's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace cinnabar::server {

class IncomingPayload {
 public:
  // Further bytes wait in the socket, so that a primary sends no faster than we load.
  static constexpr uint64_t kRoomBytes = 4 << 20;

  // `announced`: its size, when the primary has said it.
  explicit IncomingPayload(std::optional<uint64_t> announced) : announced_(announced) {}

  // ---- the connection's
  void Append(std::string_view bytes) { bytes_.append(bytes); }
  void End() { whole_ = true; }
  bool full() const { return received() >= std::max(read_ + kRoomBytes, wanted_); }

  // ---- the loader's
  uint64_t announced() const { return announced_.value_or(0); }
  bool whole() const { return whole_; }
  uint64_t received() const { return gone_ + bytes_.size(); }
  // From byte begin() of the payload on. Dies with the next Append or DropBefore.
  std::string_view bytes() const { return std::string_view(bytes_).substr(skipped_); }
  uint64_t begin() const { return gone_ + skipped_; }
  // Nothing in front of `position` is needed any more, of which begin() is not beyond.
  void DropBefore(uint64_t position) {
    read_ = position;
    skipped_ = position - gone_;
    if (skipped_ * 2 < bytes_.size()) return;
    bytes_.erase(0, skipped_);
    gone_ += skipped_;
    skipped_ = 0;
  }
  // The loader cannot go on with less than so many bytes from the payload's beginning.
  void Want(uint64_t received) { wanted_ = received; }
  // It has read the payload's last item: what follows is no matter, but for its end.
  void WantAll() { wanted_ = std::numeric_limits<uint64_t>::max(); }
  bool has_wanted() const { return whole_ || received() >= wanted_; }

 private:
  const std::optional<uint64_t> announced_;
  std::string bytes_;
  uint64_t gone_ = 0;     // bytes that lay in front of bytes_
  uint64_t skipped_ = 0;  // bytes at its beginning that may go
  uint64_t read_ = 0;
  uint64_t wanted_ = 0;
  bool whole_ = false;
};

}  // namespace cinnabar::server
