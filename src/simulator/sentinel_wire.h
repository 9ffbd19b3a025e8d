// What simulated hosts say to each other: RESP, and the addresses by which they call each other.
#pragma once

#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_vector.h"
#include "protocol/request_parser.h"

namespace cinnabar::simulator {

inline constexpr int kServerPort = 6379;
inline constexpr int kSentinelPort = 26379;

// "10.0.0.1" is node 0.
std::string AddressOf(int node);
std::optional<int> NodeAt(std::string_view address);

// ---- replies
std::string BulkReply(std::string_view text);
std::string IntegerReply(int64_t number);
std::string ArrayHeader(size_t elements);
std::string BulkArrayReply(std::initializer_list<std::string_view> texts);
inline constexpr std::string_view kOkReply = "+OK\r\n";

// A command, as clients send it.
std::string Encoded(std::initializer_list<std::string_view> words);

// Reads the requests of one connection.
class RequestReader {
 public:
  enum class Outcome : uint8_t { kRequest, kIncomplete, kDamaged };

  void Feed(std::string_view bytes) { input_ += bytes; }
  // `words` is empty for an empty line.
  Outcome Next(std::vector<std::string>& words);

 private:
  std::string input_;
  protocol::RequestParser parser_;
};

}  // namespace cinnabar::simulator
