#include "types/stream_id.h"

namespace cinnabar::types {

std::optional<uint64_t> ParseStreamNumber(std::string_view text) {
  if (auto number = ParseUInt64(text)) return number;
  while (!text.empty() && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))) text.remove_prefix(1);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  return ParseUInt64(text);
}

std::optional<StreamId> ParseStreamId(std::string_view text, uint64_t missing_sequence) {
  const size_t dash = text.find('-');
  const auto millis = ParseStreamNumber(text.substr(0, dash));
  if (!millis) return std::nullopt;
  if (dash == std::string_view::npos) return StreamId{*millis, missing_sequence};
  const auto sequence = ParseStreamNumber(text.substr(dash + 1));
  if (!sequence) return std::nullopt;
  return StreamId{*millis, *sequence};
}

}  // namespace cinnabar::types
