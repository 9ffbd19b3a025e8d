// StreamId: the name of one stream entry, `<milliseconds>-<sequence>`. Ids of a stream only grow.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/numbers.h"

namespace cinnabar::types {

struct StreamId {
  uint64_t millis = 0;
  uint64_t sequence = 0;

  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;
  constexpr bool IsZero() const { return millis == 0 && sequence == 0; }

  // The neighbours in the order of ids. REQUIRES: there is one.
  constexpr StreamId Next() const {
    return sequence == std::numeric_limits<uint64_t>::max() ? StreamId{millis + 1, 0}
                                                            : StreamId{millis, sequence + 1};
  }
  constexpr StreamId Previous() const {
    return sequence == 0 ? StreamId{millis - 1, std::numeric_limits<uint64_t>::max()}
                         : StreamId{millis, sequence - 1};
  }
};

inline constexpr StreamId kStreamIdMin{};
inline constexpr StreamId kStreamIdMax{std::numeric_limits<uint64_t>::max(),
                                       std::numeric_limits<uint64_t>::max()};

// Reads `millis-sequence`, or `millis` alone, whose sequence is the one given here. As in Redis, both numbers
// may have leading blanks, zeros and a plus sign.
std::optional<StreamId> ParseStreamId(std::string_view text, uint64_t missing_sequence);
// One of the two numbers.
std::optional<uint64_t> ParseStreamNumber(std::string_view text);

// The text of an id, in a buffer of its own.
class StreamIdText {
 public:
  explicit StreamIdText(StreamId id) {
    size_ = FormatUInt64(id.millis, bytes_);
    bytes_[size_++] = '-';
    size_ += FormatUInt64(id.sequence, bytes_ + size_);
  }
  operator std::string_view() const { return view(); }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[2 * kInt64TextBytes + 1];
  size_t size_;
};

}  // namespace cinnabar::types
