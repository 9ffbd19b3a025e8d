// RequestParser: turns the bytes of one connection into requests. Sans-I/O.
//
// A request is either an array of bulk strings  *2\r\n$3\r\nGET\r\n$1\r\nk\r\n  or an inline line  GET k\r\n.
// Arguments are views into the input wherever possible: nothing is copied while a request is complete in the
// buffer. A request that is cut off is resumed where it was cut, so that the cost is linear in its size
// however it arrives. Spec: https://redis.io/docs/reference/protocol-spec/
//
// One parser belongs to one connection. Errors are the client's: the connection must be closed after one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_vector.h"

namespace cinnabar::protocol {

struct ParseLimits {
  int64_t bulk_bytes_max = 512ll * 1024 * 1024;
  int64_t argument_count_max = 2147483647;
  size_t inline_bytes_max = 64 * 1024;
  // Before authentication much less is accepted, so that strangers cannot make the server allocate.
  bool authenticated = true;
};

class RequestParser {
 public:
  enum class Outcome { kComplete, kIncomplete, kError };

  // Where arguments are collected. `storage` keeps the text of inline arguments, which may have been
  // unescaped.
  struct Sink {
    FlatVector<std::string_view>& arguments;
    std::deque<std::string>& storage;
  };

  // Parses one request at the start of `input`, of which a part may have been seen by earlier calls.
  // kComplete: appends its arguments (none for an empty line) and sets consumed(). kIncomplete: call again
  // with the same bytes and more. kError: see error().
  Outcome Parse(std::string_view input, const ParseLimits& limits, Sink sink) {
    if (state_ == State::kIdle && limits.authenticated && !input.empty() && input[0] == '*' &&
        ParseWhole(input, limits, sink)) [[likely]] {
      return Outcome::kComplete;
    }
    canonical_ = false;
    return ParseAny(input, limits, sink);
  }

  // Forgets a request that was cut off; the next Parse starts at the beginning of one.
  void Reset();

  size_t consumed() const { return consumed_; }
  // Whether the request that was completed last is, byte for byte, what EncodeCommand makes of its arguments.
  bool canonical() const { return canonical_; }
  // Without the leading "ERR ".
  const std::string& error() const { return error_; }
  // While a request is cut off: how many bytes of it must be in the buffer before the next call can get
  // further. 0: as many as come.
  size_t wanted_bytes() const { return in_request() ? wanted_ : 0; }
  // Whether a request has begun and is not complete.
  bool in_request() const { return state_ != State::kIdle; }
  // How much of a request that is cut off has been understood; it stays in the input.
  size_t parsed_bytes() const { return in_request() ? position_ : 0; }
  // Bytes of the arguments seen of a request that is cut off.
  size_t partial_argument_bytes() const { return partial_bytes_; }
  // Memory that the parser holds; the arguments themselves stay in the input.
  size_t memory() const { return pieces_.capacity() * sizeof(Piece); }

 private:
  enum class State { kIdle, kArguments };
  struct Piece {
    size_t offset;
    size_t size;
  };

  Outcome ParseAny(std::string_view input, const ParseLimits& limits, Sink sink);
  bool ParseWhole(std::string_view input, const ParseLimits& limits, Sink sink);
  Outcome ParseInline(std::string_view input, const ParseLimits& limits, Sink sink);
  Outcome ParseHeader(std::string_view input, const ParseLimits& limits);
  Outcome ParseArguments(std::string_view input, const ParseLimits& limits, Sink sink, bool fresh);
  Outcome ParseBulkLength(std::string_view input, const ParseLimits& limits);
  Outcome Stop(std::string_view input, const ParseLimits& limits, Sink sink, size_t first, bool fresh);
  Outcome Reject(std::string text);

  State state_ = State::kIdle;
  int64_t remaining_ = 0;      // arguments still to come
  int64_t bulk_size_ = -1;     // of the argument being read; -1 = its length line is still to come
  size_t position_ = 0;        // next byte of the request to look at
  std::vector<Piece> pieces_;  // arguments seen before the cut
  size_t partial_bytes_ = 0;
  size_t consumed_ = 0;
  bool canonical_ = false;
  size_t wanted_ = 0;
  std::string error_;
};

}  // namespace cinnabar::protocol
