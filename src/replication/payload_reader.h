// PayloadReader: finds the end of a snapshot in the bytes of a connection.
//
// It is either as long as was announced, or it ends with a mark of 40 bytes that was announced. The mark may
// be cut anywhere by reads, so the last 39 bytes are held back until it is clear that they do not begin it.
// It is looked for everywhere, not only at the end of a read: what stands behind it belongs to the stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cinnabar::replication {

class PayloadReader {
 public:
  static constexpr size_t kMarkBytes = 40;

  void BeginSized(uint64_t size) {
    *this = PayloadReader();
    size_ = size;
    done_ = size == 0;
  }
  // REQUIRES: mark.size() == kMarkBytes.
  void BeginMarked(std::string_view mark) {
    *this = PayloadReader();
    mark_ = mark;
  }

  // Hands payload to `emit(std::string_view)`, never the mark. Returns how many of the bytes belong to the
  // payload or the mark; fewer than given only when done().
  template <typename Emit>
  size_t Feed(std::string_view bytes, Emit&& emit) {
    if (done_ || bytes.empty()) return 0;
    return mark_.empty() ? FeedSized(bytes, emit) : FeedMarked(bytes, emit);
  }
  bool done() const { return done_; }
  // Announced; none for a marked payload.
  std::optional<uint64_t> size() const { return size_; }
  // Payload handed out.
  uint64_t received() const { return received_; }

 private:
  template <typename Emit>
  void Hand(std::string_view bytes, Emit&& emit) {
    if (bytes.empty()) return;
    received_ += bytes.size();
    emit(bytes);
  }

  template <typename Emit>
  size_t FeedSized(std::string_view bytes, Emit&& emit) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes.size(), *size_ - received_));
    Hand(bytes.substr(0, count), emit);
    done_ = received_ == *size_;
    return count;
  }

  template <typename Emit>
  size_t FeedMarked(std::string_view bytes, Emit&& emit) {
    constexpr size_t kHeld = kMarkBytes - 1;
    if (!held_.empty()) {
      // A mark that begins in what is held needs at most kHeld of the new bytes.
      const size_t old = held_.size();
      held_ += bytes.substr(0, kHeld);
      if (const size_t at = held_.find(mark_); at != std::string::npos) {
        Hand(std::string_view(held_).substr(0, at), emit);
        done_ = true;
        return at + kMarkBytes - old;
      }
      if (bytes.size() < kHeld) {
        if (held_.size() > kHeld) {
          const size_t surplus = held_.size() - kHeld;
          Hand(std::string_view(held_).substr(0, surplus), emit);
          held_.erase(0, surplus);
        }
        return bytes.size();
      }
      Hand(std::string_view(held_).substr(0, old), emit);
      held_.clear();
    }
    const size_t at = bytes.find(mark_);
    if (at != std::string_view::npos) {
      Hand(bytes.substr(0, at), emit);
      done_ = true;
      return at + kMarkBytes;
    }
    const size_t certain = bytes.size() > kHeld ? bytes.size() - kHeld : 0;
    Hand(bytes.substr(0, certain), emit);
    held_ = bytes.substr(certain);
    return bytes.size();
  }

  std::optional<uint64_t> size_;
  std::string mark_;
  std::string held_;  // may begin the mark
  uint64_t received_ = 0;
  bool done_ = false;
};

}  // namespace cinnabar::replication
