#include "replication/history.h"

#include <algorithm>

#include "base/ascii.h"

namespace cinnabar::replication {

std::optional<ReplicationId> ReplicationId::Parse(std::string_view text) {
  if (text.size() != kDigits || !std::ranges::all_of(text, [](char c) { return HexDigit(c) >= 0; })) {
    return std::nullopt;
  }
  ReplicationId id;
  std::ranges::transform(text, id.digits_.begin(), Lower);
  return id;
}

bool ReplicationId::Matches(std::string_view text) const {
  return SameWord(this->text(), text);
}

ReplicationId ReplicationId::FromWords(uint64_t a, uint64_t b, uint64_t c) {
  ReplicationId id;
  uint64_t words[3] = {a, b, c};
  for (size_t i = 0; i < kDigits; ++i) {
    uint64_t& word = words[i / 16];
    id.digits_[i] = "0123456789abcdef"[word & 15];
    word >>= 4;
  }
  return id;
}

}  // namespace cinnabar::replication
