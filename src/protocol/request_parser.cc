#include "protocol/request_parser.h"

#include <algorithm>
#include <utility>

#include "base/numbers.h"
#include "base/unaligned.h"
#include "base/words.h"

namespace cinnabar::protocol {
namespace {

constexpr size_t kLengthLineMax = 64 * 1024;
constexpr int64_t kStrangerArguments = 10;
constexpr int64_t kStrangerBulkBytes = 16384;

// Digits up to \r\n. Returns the number of bytes used, 0 when the line is cut off or is not plain digits.
inline size_t ParseShortLength(const char* p, const char* end, int64_t& value) {
  const char* start = p;
  int64_t v = 0;
  while (p < end && static_cast<unsigned char>(*p - '0') <= 9 && p - start < 10) v = v * 10 + (*p++ - '0');
  if (end - p < 2 || p == start || p[0] != '\r' || p[1] != '\n') return 0;
  if (*start == '0' && p - start > 1) return 0;
  value = v;
  return static_cast<size_t>(p - start) + 2;
}

constexpr uint16_t kLineEnd = '\r' | '\n' << 8;  // as it stands in memory

// A length of one to three digits and its line end; moves `p` behind it. Reads five bytes.
inline bool ReadSmallLength(const char*& p, const char* end, size_t& value) {
  if (end - p < 5) return false;
  auto digit = [](char c) { return static_cast<size_t>(static_cast<unsigned char>(c)) - '0'; };
  auto ends_at = [](const char* at) { return LoadAs<uint16_t>(at) == kLineEnd; };
  const size_t first = digit(p[0]);
  if (first > 9) return false;
  if (ends_at(p + 1)) {
    value = first;
    p += 3;
    return true;
  }
  const size_t second = digit(p[1]);
  if (second > 9 || first == 0) return false;
  value = first * 10 + second;
  if (ends_at(p + 2)) {
    p += 4;
    return true;
  }
  const size_t third = digit(p[2]);
  if (third > 9 || !ends_at(p + 3)) return false;
  value = value * 10 + third;
  p += 5;
  return true;
}

// Where the line that begins at `from` has its `end`. A line with a NUL byte has none, like one that is cut
// off: a client that sends one does not speak this protocol, and Redis, too, is silent until the line is too
// long.
size_t FindLineEnd(std::string_view input, size_t from, char end) {
  const size_t found = input.find(end, from);
  if (found == std::string_view::npos) return found;
  return input.substr(from, found - from).find('\0') == std::string_view::npos ? found
                                                                               : std::string_view::npos;
}

// False when the quotes do not match.
bool SplitWords(std::string_view line, std::deque<std::string>& words) {
  WordReader reader(line);
  while (!reader.AtEnd()) {
    if (!reader.ReadWord(words.emplace_back())) return false;
  }
  return true;
}

}  // namespace

RequestParser::Outcome RequestParser::Reject(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Outcome::kError;
}

// The usual request: an array of few short strings, all of it in the buffer. False (with nothing changed)
// leaves it to the general path, which knows all the limits and errors.
bool RequestParser::ParseWhole(std::string_view input, const ParseLimits& limits, Sink sink) {
  constexpr size_t kFewArguments = 64;
  const char* const end = input.data() + input.size();
  const char* p = input.data() + 1;
  size_t count = 0;
  if (!ReadSmallLength(p, end, count) || count == 0 || count > kFewArguments) return false;
  const size_t first = sink.arguments.size();
  std::string_view* argument = sink.arguments.Extend(count);
  unsigned strays = 0;  // what stands where lines end; like Redis, nobody objects
  for (size_t i = 0; i < count; ++i, ++argument) {
    size_t size = 0;
    if (p == end || *p != '$' || !ReadSmallLength(++p, end, size) ||
        static_cast<size_t>(end - p) < size + 2 || size > static_cast<size_t>(limits.bulk_bytes_max)) {
      sink.arguments.Truncate(first);
      return false;
    }
    *argument = std::string_view(p, size);
    strays |= LoadAs<uint16_t>(p + size) ^ kLineEnd;
    p += size + 2;
  }
  canonical_ = strays == 0;
  consumed_ = static_cast<size_t>(p - input.data());
  return true;
}

RequestParser::Outcome RequestParser::ParseAny(std::string_view input, const ParseLimits& limits, Sink sink) {
  if (state_ == State::kArguments) return ParseArguments(input, limits, sink, false);
  if (input.empty()) return Outcome::kIncomplete;
  if (input[0] != '*') return ParseInline(input, limits, sink);
  Outcome outcome = ParseHeader(input, limits);
  if (outcome != Outcome::kComplete) return outcome;
  if (remaining_ <= 0) {
    consumed_ = position_;
    return Outcome::kComplete;
  }
  return ParseArguments(input, limits, sink, true);
}

void RequestParser::Reset() {
  state_ = State::kIdle;
  pieces_.clear();
  partial_bytes_ = wanted_ = 0;
}

RequestParser::Outcome RequestParser::ParseInline(std::string_view input, const ParseLimits& limits,
                                                  Sink sink) {
  const size_t newline = FindLineEnd(input, 0, '\n');
  if (newline == std::string_view::npos) {
    if (input.size() > limits.inline_bytes_max) return Reject("too big inline request");
    return Outcome::kIncomplete;
  }
  std::string_view line = input.substr(0, newline);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const size_t first = sink.storage.size();
  if (!SplitWords(line, sink.storage)) return Reject("unbalanced quotes in request");
  for (size_t i = first; i < sink.storage.size(); ++i) sink.arguments.push_back(sink.storage[i]);
  consumed_ = newline + 1;
  return Outcome::kComplete;
}

RequestParser::Outcome RequestParser::ParseHeader(std::string_view input, const ParseLimits& limits) {
  int64_t count = 0;
  size_t used = ParseShortLength(input.data() + 1, input.data() + input.size(), count);
  if (used == 0) {
    const size_t newline = FindLineEnd(input, 0, '\r');
    if (newline == std::string_view::npos || newline + 1 >= input.size()) {
      if (input.size() > kLengthLineMax) return Reject("too big mbulk count string");
      return Outcome::kIncomplete;
    }
    auto number = ParseInt64(input.substr(1, newline - 1));
    if (!number || *number > limits.argument_count_max) return Reject("invalid multibulk length");
    count = *number;
    used = newline + 1;
  }
  if (count > limits.argument_count_max) return Reject("invalid multibulk length");
  if (!limits.authenticated && count > kStrangerArguments) return Reject("unauthenticated multibulk length");
  position_ = used + 1;
  remaining_ = count;
  bulk_size_ = -1;
  return Outcome::kComplete;
}

RequestParser::Outcome RequestParser::ParseBulkLength(std::string_view input, const ParseLimits& limits) {
  if (position_ >= input.size()) {
    wanted_ = input.size() + 1;
    return Outcome::kIncomplete;
  }
  const size_t newline = FindLineEnd(input, position_, '\r');
  if (newline == std::string_view::npos || newline + 1 >= input.size()) {
    if (input.size() - position_ > kLengthLineMax) return Reject("too big bulk count string");
    wanted_ = input.size() + 1;
    return Outcome::kIncomplete;
  }
  if (input[position_] != '$') {
    return Reject(std::string("expected '$', got '") + input[position_] + "'");
  }
  auto number = ParseInt64(input.substr(position_ + 1, newline - position_ - 1));
  if (!number || *number < 0 || *number > limits.bulk_bytes_max) return Reject("invalid bulk length");
  if (!limits.authenticated && *number > kStrangerBulkBytes) return Reject("unauthenticated bulk length");
  position_ = newline + 2;
  bulk_size_ = *number;
  return Outcome::kComplete;
}

RequestParser::Outcome RequestParser::ParseArguments(std::string_view input, const ParseLimits& limits,
                                                     Sink sink, bool fresh) {
  const size_t first = sink.arguments.size();
  const char* const end = input.data() + input.size();
  while (remaining_ > 0) {
    if (bulk_size_ < 0) {
      const char* p = input.data() + position_;
      int64_t size = 0;
      size_t used = p < end && *p == '$' ? ParseShortLength(p + 1, end, size) : 0;
      if (used != 0 && size <= limits.bulk_bytes_max && limits.authenticated) [[likely]] {
        bulk_size_ = size;
        position_ += used + 1;
      } else {
        Outcome outcome = ParseBulkLength(input, limits);
        if (outcome == Outcome::kError) return outcome;
        if (outcome == Outcome::kIncomplete) return Stop(input, limits, sink, first, fresh);
      }
    }
    const size_t size = static_cast<size_t>(bulk_size_);
    if (input.size() - position_ < size + 2) {
      wanted_ = position_ + size + 2;
      return Stop(input, limits, sink, first, fresh);
    }
    if (fresh) {
      sink.arguments.push_back(input.substr(position_, size));
    } else {
      pieces_.push_back({position_, size});
    }
    position_ += size + 2;
    bulk_size_ = -1;
    --remaining_;
  }
  for (const Piece& piece : pieces_) sink.arguments.push_back(input.substr(piece.offset, piece.size));
  if (!pieces_.empty()) {
    pieces_.clear();
    if (pieces_.capacity() > 1024) pieces_.shrink_to_fit();
  }
  partial_bytes_ = 0;
  state_ = State::kIdle;
  consumed_ = position_;
  return Outcome::kComplete;
}

// The request is cut off: remembers as offsets what a fresh run has collected as views.
RequestParser::Outcome RequestParser::Stop(std::string_view input, const ParseLimits&, Sink sink,
                                           size_t first, bool fresh) {
  if (fresh) {
    for (size_t i = first; i < sink.arguments.size(); ++i) {
      const std::string_view argument = sink.arguments[i];
      pieces_.push_back({static_cast<size_t>(argument.data() - input.data()), argument.size()});
    }
    sink.arguments.Truncate(first);
  }
  partial_bytes_ = 0;
  if (!pieces_.empty()) partial_bytes_ = pieces_.back().offset + pieces_.back().size;
  state_ = State::kArguments;
  return Outcome::kIncomplete;
}

}  // namespace cinnabar::protocol
