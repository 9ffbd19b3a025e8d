#include "simulator/sentinel_wire.h"

#include "base/numbers.h"
#include "protocol/encode_command.h"

namespace cinnabar::simulator {
namespace {

constexpr std::string_view kNetworkPart = "10.0.";
constexpr int kPerNetwork = 250;

}  // namespace

std::string AddressOf(int node) {
  return std::string(kNetworkPart) + Int64ToString(node / kPerNetwork) + "." +
         Int64ToString(node % kPerNetwork + 1);
}

std::optional<int> NodeAt(std::string_view address) {
  if (!address.starts_with(kNetworkPart)) return std::nullopt;
  address.remove_prefix(kNetworkPart.size());
  const size_t dot = address.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto network = ParseInt64(address.substr(0, dot)), number = ParseInt64(address.substr(dot + 1));
  if (!network || !number || *network < 0 || *network > 255 || *number < 1 || *number > kPerNetwork)
    return std::nullopt;
  return static_cast<int>(*network * kPerNetwork + *number) - 1;
}

std::string BulkReply(std::string_view text) {
  return "$" + Int64ToString(static_cast<int64_t>(text.size())) + "\r\n" + std::string(text) + "\r\n";
}

std::string IntegerReply(int64_t number) {
  return ":" + Int64ToString(number) + "\r\n";
}

std::string ArrayHeader(size_t elements) {
  return "*" + Int64ToString(static_cast<int64_t>(elements)) + "\r\n";
}

std::string BulkArrayReply(std::initializer_list<std::string_view> texts) {
  std::string reply = ArrayHeader(texts.size());
  for (std::string_view text : texts) reply += BulkReply(text);
  return reply;
}

std::string Encoded(std::initializer_list<std::string_view> words) {
  std::string text;
  protocol::EncodeCommand({words.begin(), words.size()}, text);
  return text;
}

RequestReader::Outcome RequestReader::Next(std::vector<std::string>& words) {
  words.clear();
  if (input_.empty()) return Outcome::kIncomplete;
  FlatVector<std::string_view> views;
  std::deque<std::string> storage;
  const auto outcome = parser_.Parse(input_, {}, {views, storage});
  if (outcome == protocol::RequestParser::Outcome::kIncomplete) return Outcome::kIncomplete;
  if (outcome == protocol::RequestParser::Outcome::kError) return Outcome::kDamaged;
  words.assign(views.begin(), views.end());
  input_.erase(0, parser_.consumed());
  return Outcome::kRequest;
}

}  // namespace cinnabar::simulator
