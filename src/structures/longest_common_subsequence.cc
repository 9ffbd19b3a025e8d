// Let L(i, j) be the length for the first i bytes of `a` and the first j of `b`. From one j to the next, L(i,
// j) grows by 0 or 1, so a row of the classic table is one bit per byte of `b`, and 64 of them follow from
// the row above in a handful of operations (M. Crochemore, C. S. Iliopoulos, Y. J. Pinzon, J. F. Reid, "A
// fast and practical bit-vector algorithm for the longest common subsequence problem", 2001). With V the
// complement of the growth bits and M the places in `b` that hold the row's byte:
//
//   V' = (V + (V & M)) | (V & ~M)
//
// The addition carries through the whole row. The kept rows are the table 32 times smaller than with a number
// per cell, and suffice to walk back: where the bytes differ and L(i, j) grew at j, row i - 1 has the same
// L(i - 1, j), so the walk goes up, else left.
#include "structures/longest_common_subsequence.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "base/check.h"

namespace cinnabar {
namespace {

constexpr size_t kWordBits = 64;

class BitTable {
 public:
  BitTable(std::string_view a, std::string_view b)
      : a_(a), b_(b), words_((b.size() + kWordBits - 1) / kWordBits) {
    rows_of_symbols_.fill(kAbsent);
    std::array<bool, 256> in_a{};
    for (const char c : a) in_a[Symbol(c)] = true;
    for (const char c : b) {
      uint16_t& row = rows_of_symbols_[Symbol(c)];
      if (in_a[Symbol(c)] && row == kAbsent) row = static_cast<uint16_t>(symbols_++);
    }
  }

  // Saturates instead of overflowing.
  uint64_t bytes() const {
    uint64_t words = 0;
    if (__builtin_mul_overflow(a_.size() + symbols_, words_, &words) ||
        words > kUnlimited / sizeof(uint64_t)) {
      return kUnlimited;
    }
    return words * sizeof(uint64_t);
  }

  // Computes all rows and returns the length of the longest common subsequence.
  uint32_t Fill(CommonSubsequenceDetail detail) {
    FillMasks();
    const bool keep = detail != CommonSubsequenceDetail::kLength;
    rows_.resize(words_ * (keep ? a_.size() : 1));
    std::vector<uint64_t> first(words_, ~uint64_t{0});
    const uint64_t* above = first.data();
    for (size_t i = 0; i < a_.size(); ++i) {
      uint64_t* row = rows_.data() + (keep ? i * words_ : 0);
      FillRow(above, Symbol(a_[i]), row);
      above = row;
    }
    uint64_t zeros = 0;
    for (size_t w = 0; w < words_; ++w) zeros += static_cast<unsigned>(std::popcount(~above[w]));
    return static_cast<uint32_t>(zeros);
  }

  // Calls visit(i, j) for each common byte a[i] == b[j], from the last to the first.
  template <typename Visitor>
  void WalkBack(Visitor visit) const {
    size_t i = a_.size();
    size_t j = b_.size();
    while (i > 0 && j > 0) {
      if (a_[i - 1] == b_[j - 1]) {
        visit(--i, --j);
      } else if (Grew(i - 1, j - 1)) {
        --i;
      } else {
        --j;
      }
    }
  }

 private:
  static constexpr uint16_t kAbsent = std::numeric_limits<uint16_t>::max();
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  static unsigned char Symbol(char c) { return static_cast<unsigned char>(c); }

  bool Grew(size_t i, size_t j) const { return !(rows_[i * words_ + j / kWordBits] >> (j % kWordBits) & 1); }

  void FillMasks() {
    masks_.assign(symbols_ * words_, 0);
    for (size_t j = 0; j < b_.size(); ++j) {
      const uint16_t row = rows_of_symbols_[Symbol(b_[j])];
      if (row != kAbsent) masks_[row * words_ + j / kWordBits] |= uint64_t{1} << (j % kWordBits);
    }
  }

  // `row` may be the row above.
  void FillRow(const uint64_t* above, unsigned char symbol, uint64_t* row) const {
    const uint16_t mask_row = rows_of_symbols_[symbol];
    if (mask_row == kAbsent) {
      std::copy_n(above, row == above ? 0 : words_, row);
      return;
    }
    const uint64_t* mask = masks_.data() + mask_row * words_;
    uint64_t carry = 0;
    for (size_t w = 0; w < words_; ++w) {
      const uint64_t v = above[w];
      uint64_t sum = 0;
      const bool carry_v = __builtin_add_overflow(v, v & mask[w], &sum);
      const bool carry_in = __builtin_add_overflow(sum, carry, &sum);
      carry = carry_v | carry_in;
      row[w] = sum | (v & ~mask[w]);
    }
  }

  std::string_view a_;
  std::string_view b_;
  size_t words_;        // in a row
  size_t symbols_ = 0;  // different bytes that both strings have
  std::array<uint16_t, 256> rows_of_symbols_;
  std::vector<uint64_t> masks_;
  std::vector<uint64_t> rows_;
};

std::string CollectText(const BitTable& table, std::string_view a, uint32_t length) {
  std::string text(length, '\0');
  size_t left = length;
  table.WalkBack([&](size_t i, size_t) { text[--left] = a[i]; });
  CHECK(left == 0);
  return text;
}

std::vector<CommonRange> CollectRanges(const BitTable& table) {
  std::vector<CommonRange> ranges;
  table.WalkBack([&ranges](size_t i, size_t j) {
    const auto a = static_cast<uint32_t>(i);
    const auto b = static_cast<uint32_t>(j);
    if (!ranges.empty() && ranges.back().a_first == a + 1 && ranges.back().b_first == b + 1) {
      ranges.back().a_first = a;
      ranges.back().b_first = b;
    } else {
      ranges.push_back({a, a, b, b});
    }
  });
  return ranges;
}

}  // namespace

std::expected<CommonSubsequence, TableTooLarge> LongestCommonSubsequence(std::string_view a,
                                                                         std::string_view b,
                                                                         CommonSubsequenceDetail detail,
                                                                         uint64_t table_bytes_max) {
  constexpr size_t kSizeMax = std::numeric_limits<uint32_t>::max() - 1;
  if (a.size() > kSizeMax || b.size() > kSizeMax) return std::unexpected(TableTooLarge{});
  CommonSubsequence result;
  BitTable table(a, b);
  if (table.bytes() > table_bytes_max) return std::unexpected(TableTooLarge{});
  result.length = table.Fill(detail);
  if (detail == CommonSubsequenceDetail::kText) result.text = CollectText(table, a, result.length);
  if (detail == CommonSubsequenceDetail::kRanges) result.ranges = CollectRanges(table);
  return result;
}

}  // namespace cinnabar
