// Any two strings: the text found is a subsequence of both, the ranges spell it, and all details agree.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "structures/longest_common_subsequence.h"

namespace {

bool IsSubsequence(const std::string& part, const std::string& whole) {
  size_t at = 0;
  for (const char c : whole) {
    if (at < part.size() && part[at] == c) ++at;
  }
  return at == part.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cinnabar::CommonSubsequenceDetail;
  constexpr uint64_t kTableBytesMax = 1 << 20;
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t split = data[0] % bytes.size();
  const std::string a = bytes.substr(0, split);
  const std::string b = bytes.substr(split);
  const auto find = [&](CommonSubsequenceDetail detail) {
    return cinnabar::LongestCommonSubsequence(a, b, detail, kTableBytesMax);
  };
  const auto length = find(CommonSubsequenceDetail::kLength);
  const auto text = find(CommonSubsequenceDetail::kText);
  const auto ranges = find(CommonSubsequenceDetail::kRanges);
  CHECK(length.has_value() == text.has_value() && length.has_value() == ranges.has_value());
  if (!length) return 0;
  CHECK(length->length == text->length && text->text.size() == text->length);
  CHECK(IsSubsequence(text->text, a) && IsSubsequence(text->text, b));
  std::string spelled;
  for (const cinnabar::CommonRange& range : ranges->ranges) {
    const std::string part = a.substr(range.a_first, range.length());
    CHECK(part == b.substr(range.b_first, range.length()));
    spelled.insert(0, part);
  }
  CHECK(spelled == text->text);
  return 0;
}
