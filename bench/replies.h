// Counts complete RESP2/RESP3 replies in a byte stream that arrives in arbitrary pieces.
//
// A reply is one or more elements; an aggregate of n elements adds n to what is still owed. Only the first
// line of an element is looked at: the body of a bulk string is skipped by its length, so that counting a
// 64-byte value costs a few instructions and not a scan. Nothing is allocated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cinnabar::bench {

class ReplyCounter {
 public:
  // Takes the next piece of the stream; returns how many replies it completed.
  int64_t Feed(std::string_view piece) {
    int64_t before = replies_;
    const char* at = piece.data();
    const char* end = at + piece.size();
    while (at < end) {
      if (skip_ > 0) {
        int64_t step = std::min<int64_t>(skip_, end - at);
        skip_ -= step;
        at += step;
        if (skip_ == 0) ElementDone();
        continue;
      }
      const char* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
      const char* stop = newline ? newline + 1 : end;
      KeepHead(at, stop);
      at = stop;
      if (newline) FirstLine();
    }
    return replies_ - before;
  }

  int64_t errors() const { return errors_; }
  const std::string& first_error() const { return first_error_; }

 private:
  // Keeps as much of the line as is ever needed: type, length, or the text of an error.
  void KeepHead(const char* from, const char* to) {
    size_t room = sizeof(head_) - 1 - head_size_;
    size_t size = std::min(room, static_cast<size_t>(to - from));
    std::memcpy(head_ + head_size_, from, size);
    head_size_ += size;
    head_[head_size_] = 0;
  }

  int64_t Length() const {
    const char* digit = head_ + 1;
    bool negative = *digit == '-';
    if (negative) ++digit;
    int64_t value = 0;
    for (; *digit >= '0' && *digit <= '9'; ++digit) value = value * 10 + (*digit - '0');
    return negative ? -1 : value;
  }

  void FirstLine() {
    char type = head_[0];
    if (type == '-') {
      if (errors_++ == 0) first_error_.assign(head_, head_size_);
    }
    int64_t length = 0;
    if (type == '$' || type == '=') {
      length = Length();
      if (length >= 0) skip_ = length + 2;
    } else if (type == '*' || type == '~' || type == '>' || type == '%') {
      length = Length();
      if (length > 0) owed_ += type == '%' ? 2 * length : length;
    }
    head_size_ = 0;
    if (skip_ == 0) ElementDone();
  }

  void ElementDone() {
    if (--owed_ > 0) return;
    ++replies_;
    owed_ = 1;
  }

  int64_t owed_ = 1;  // elements missing from the current reply
  int64_t skip_ = 0;  // bytes of the current bulk string not seen yet, its line end included
  int64_t replies_ = 0;
  int64_t errors_ = 0;
  size_t head_size_ = 0;
  char head_[80] = {};
  std::string first_error_;
};

}  // namespace cinnabar::bench
