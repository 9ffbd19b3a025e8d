#include "persistence/aof_reader.h"

#include <algorithm>

#include "base/numbers.h"

namespace cinnabar::persistence {
namespace {

constexpr size_t kLineBytesMax = 128;
constexpr int64_t kArgumentsMax = 1024 * 1024 * 1024;
constexpr int64_t kBulkBytesMax = int64_t{512} * 1024 * 1024 * 1024;

// Reads "PREFIX number CR LF" at `at` and moves behind it.
AofReader::Outcome ReadNumber(std::string_view bytes, char prefix, size_t& at, int64_t& number) {
  using Outcome = AofReader::Outcome;
  if (at >= bytes.size()) return Outcome::kIncomplete;
  if (bytes[at] != prefix) return Outcome::kBadFormat;
  const std::string_view window = bytes.substr(at, kLineBytesMax);
  const size_t end = window.find('\n');
  if (end == std::string_view::npos) {
    return window.size() < kLineBytesMax ? Outcome::kIncomplete : Outcome::kBadFormat;
  }
  if (end < 2 || window[end - 1] != '\r') return Outcome::kBadFormat;
  const auto parsed = ParseInt64(window.substr(1, end - 2));
  if (!parsed) return Outcome::kBadFormat;
  number = *parsed;
  at += end + 1;
  return Outcome::kCommand;
}

}  // namespace

AofReader::Outcome AofReader::Next(std::string_view bytes) {
  argv_.clear();
  size_ = 1;
  if (bytes.empty()) return Outcome::kIncomplete;
  if (bytes[0] == '#') {
    const size_t end = bytes.substr(0, kLineBytesMax).find('\n');
    if (end == std::string_view::npos) {
      return bytes.size() < kLineBytesMax ? Outcome::kIncomplete : Outcome::kBadFormat;
    }
    annotation_ = bytes.substr(1, end - 1);
    if (annotation_.ends_with('\r')) annotation_.remove_suffix(1);
    size_ = end + 1;
    return Outcome::kAnnotation;
  }
  size_t at = 0;
  int64_t count = 0;
  if (const Outcome head = ReadNumber(bytes, '*', at, count); head != Outcome::kCommand) return head;
  if (count < 1 || count > kArgumentsMax) return Outcome::kBadFormat;
  for (int64_t i = 0; i < count; ++i) {
    int64_t length = 0;
    if (const Outcome head = ReadNumber(bytes, '$', at, length); head != Outcome::kCommand) return head;
    if (length < 0 || length > kBulkBytesMax) return Outcome::kBadFormat;
    const auto size = static_cast<size_t>(length);
    if (bytes.size() - at < size + 2) {
      size_ = at + size + 2;
      return Outcome::kIncomplete;
    }
    argv_.push_back(bytes.substr(at, size));
    at += size;
    if (bytes[at] != '\r' || bytes[at + 1] != '\n') return Outcome::kBadFormat;
    at += 2;
  }
  size_ = at;
  return Outcome::kCommand;
}

std::optional<int64_t> TimestampOf(std::string_view annotation) {
  if (!annotation.starts_with("TS:")) return std::nullopt;
  return ParseInt64(annotation.substr(3));
}

}  // namespace cinnabar::persistence
