// Feeds bytes to a RequestParser in pieces, as a connection would, and notes what comes out.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "protocol/encode_command.h"
#include "protocol/request_parser.h"

namespace cinnabar::protocol {

struct Parsed {
  std::vector<std::vector<std::string>> requests;
  std::string error;  // empty: none
  std::string rest;   // what was not consumed
  bool operator==(const Parsed&) const = default;
};

inline void CheckCanonical(const std::string& text, const FlatVector<std::string_view>& arguments) {
  std::string encoded;
  EncodeCommand({arguments.data(), arguments.size()}, encoded);
  CHECK(text == encoded);
}

// `next_piece(left)` says how many of the `left` bytes arrive next, at least 1.
template <typename NextPiece>
Parsed Feed(std::string_view input, const ParseLimits& limits, NextPiece&& next_piece) {
  RequestParser parser;
  Parsed result;
  std::string buffer;
  FlatVector<std::string_view> arguments;
  std::deque<std::string> storage;
  while (!input.empty()) {
    const size_t piece = next_piece(input.size());
    buffer += input.substr(0, piece);
    input.remove_prefix(piece);
    size_t position = 0;
    while (position < buffer.size()) {
      arguments.clear();
      storage.clear();
      const auto outcome =
          parser.Parse(std::string_view(buffer).substr(position), limits, {arguments, storage});
      if (outcome == RequestParser::Outcome::kIncomplete) break;
      if (outcome == RequestParser::Outcome::kError) {
        result.error = parser.error();
        return result;
      }
      if (parser.canonical()) CheckCanonical(buffer.substr(position, parser.consumed()), arguments);
      position += parser.consumed();
      if (!arguments.empty()) result.requests.emplace_back(arguments.begin(), arguments.end());
    }
    buffer.erase(0, position);
  }
  result.rest = buffer;
  return result;
}

inline Parsed FeedWhole(std::string_view input, const ParseLimits& limits = {}) {
  return Feed(input, limits, [](size_t left) { return left; });
}
inline Parsed FeedByteByByte(std::string_view input, const ParseLimits& limits = {}) {
  return Feed(input, limits, [](size_t) { return size_t{1}; });
}

}  // namespace cinnabar::protocol
