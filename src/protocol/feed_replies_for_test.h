// Feeds bytes to a ReplyParser in pieces, as a connection would, and notes what comes out.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/numbers.h"
#include "base/quote.h"
#include "protocol/reply_parser.h"

namespace cinnabar::protocol {

// One line that tells everything about a reply: [1 "bulk" +simple nil {"key" ,1.5}].
inline std::string Described(const Reply& reply) {
  using Kind = Reply::Kind;
  auto list = [&reply](std::string text, char end) {
    for (size_t i = 0; i < reply.elements.size(); ++i) {
      if (i > 0) text += ' ';
      text += Described(reply.elements[i]);
    }
    return text + end;
  };
  switch (reply.kind) {
    case Kind::kSimple:
      return "+" + Quoted(reply.text);
    case Kind::kError:
      return "-" + Quoted(reply.text);
    case Kind::kInteger:
      return std::to_string(reply.integer);
    case Kind::kBulk:
      return Quoted(reply.text);
    case Kind::kNull:
      return "nil";
    case Kind::kArray:
      return list("[", ']');
    case Kind::kMap:
      return list("{", '}');
    case Kind::kSet:
      return list("~[", ']');
    case Kind::kPush:
      return list(">[", ']');
    case Kind::kDouble:
      return std::isnan(reply.number) ? ",nan" : "," + DoubleToString(reply.number);
    case Kind::kBoolean:
      return reply.integer != 0 ? "#t" : "#f";
    case Kind::kBigNumber:
      return "(" + reply.text;
    case Kind::kVerbatim:
      return "=" + Quoted(reply.text);
  }
  CHECK(false);
}

struct ParsedReplies {
  std::vector<std::string> replies;  // as Described
  std::string problem;               // empty: none
  size_t buffered = 0;
  bool operator==(const ParsedReplies&) const = default;
};

// `next_piece(left)` says how many of the `left` bytes arrive next, at least 1.
template <typename NextPiece>
ParsedReplies FeedReplies(std::string_view input, const ReplyParser::Limits& limits, NextPiece&& next_piece) {
  using Outcome = ReplyParser::Outcome;
  ReplyParser parser(limits);
  ParsedReplies result;
  Reply reply;
  while (!input.empty()) {
    const size_t piece = next_piece(input.size());
    parser.Feed(input.substr(0, piece));
    input.remove_prefix(piece);
    Outcome outcome;
    while ((outcome = parser.Next(reply)) == Outcome::kReply) result.replies.push_back(Described(reply));
    CHECK((outcome == Outcome::kDamaged) == !parser.problem().empty());
    CHECK(parser.Next(reply) == outcome);
  }
  result.problem = parser.problem();
  result.buffered = parser.buffered();
  return result;
}

inline ParsedReplies FeedRepliesWhole(std::string_view input, const ReplyParser::Limits& limits = {}) {
  return FeedReplies(input, limits, [](size_t left) { return left; });
}
inline ParsedReplies FeedRepliesByteByByte(std::string_view input, const ReplyParser::Limits& limits = {}) {
  return FeedReplies(input, limits, [](size_t) { return size_t{1}; });
}

}  // namespace cinnabar::protocol
