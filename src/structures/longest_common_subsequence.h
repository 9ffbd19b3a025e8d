// The longest common subsequence of two byte strings, and where in both it lies: the LCS command.
//
// Several subsequences may be longest. The one reported is found from the ends backwards, and where both ways
// lead to one, the last byte of `b` is given up before that of `a`: the choice that clients of LCS know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace cinnabar {

// Equal stretches of both strings; first and last byte, both included. The two are equally long.
struct CommonRange {
  uint32_t a_first;
  uint32_t a_last;
  uint32_t b_first;
  uint32_t b_last;

  uint32_t length() const { return a_last - a_first + 1; }
  bool operator==(const CommonRange&) const = default;
};

struct CommonSubsequence {
  uint32_t length = 0;
  std::string text;
  std::vector<CommonRange> ranges;  // from the ends of the strings to their beginnings
};

enum class CommonSubsequenceDetail {
  kLength,  // `length` only: no table is kept
  kText,    // `length` and `text`
  kRanges,  // `length` and `ranges`
};

// The table for these strings would need more memory than allowed, whatever the detail.
struct TableTooLarge {};

// Time: a.size() * b.size() / 64 steps of about a nanosecond. Memory: one bit for each pair of bytes
// (a.size() * b.size() / 8), plus a bit per byte of `b` for each different byte that both strings have.
std::expected<CommonSubsequence, TableTooLarge> LongestCommonSubsequence(std::string_view a,
                                                                         std::string_view b,
                                                                         CommonSubsequenceDetail detail,
                                                                         uint64_t table_bytes_max);

}  // namespace cinnabar
