#include "persistence/aof_check.h"

#include <fmt/format.h>

#include <limits>

#include "base/ascii.h"

namespace cinnabar::persistence {
namespace {

// Lines are looked at in windows of this size.
constexpr size_t kNumberLineBytes = 127;
constexpr size_t kAnnotationBytes = 1023;
constexpr std::string_view kTimePrefix = "#TS:";

struct LeadingNumber {
  int64_t value = 0;
  size_t size = 0;  // of the text that was understood; 0: no number
};

// Like strtol: blanks, a sign, digits; too large becomes the largest.
LeadingNumber ReadLeadingNumber(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && IsSpace(text[at])) ++at;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  LeadingNumber number;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    const int64_t digit = text[at] - '0';
    number.value = number.value > (kMax - digit) / 10 ? kMax : number.value * 10 + digit;
    number.size = at + 1;
  }
  if (negative) number.value = -number.value;
  return number;
}

std::string_view LineAt(std::string_view bytes, size_t at, size_t size_max) {
  const std::string_view window = bytes.substr(at, size_max);
  return window.substr(0,
                       window.find('\n') == std::string_view::npos ? window.size() : window.find('\n') + 1);
}

}  // namespace

bool AofCheck::Fault(std::string text) {
  fault_ = fmt::format("0x{:16x}: {}", item_at_, text);
  return false;
}

bool AofCheck::Number(char prefix, int64_t& number) {
  item_at_ = at_;
  const std::string_view line = LineAt(bytes_, at_, kNumberLineBytes);
  if (line.empty()) {
    ended_ = true;
    return false;
  }
  if (line[0] != prefix) return Fault(fmt::format("Expected prefix '{}', got: '{}'", prefix, line[0]));
  const LeadingNumber found = ReadLeadingNumber(line.substr(1));
  const std::string_view rest = line.substr(1 + found.size);
  if (!rest.starts_with("\r\n")) {
    const auto byte = [&](size_t i) { return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0u; };
    return Fault(fmt::format("Expected \\r\\n, got: {:02x}{:02x}", byte(0), byte(1)));
  }
  number = found.value;
  at_ += line.size();
  ++line_;
  return true;
}

bool AofCheck::Bytes(int64_t size, std::string_view& text) {
  if (size < 0 || size > std::numeric_limits<int64_t>::max() - 2) {
    return Fault(
        fmt::format("Expected to read string of {} bytes, which is not in the suitable range", size));
  }
  item_at_ = at_;
  const std::string_view rest = bytes_.substr(at_);
  if (rest.size() < static_cast<size_t>(size) + 2) {
    return Fault(fmt::format("Expected to read {} bytes, got {} bytes", size + 2, rest.size()));
  }
  text = rest.substr(0, static_cast<size_t>(size));
  const std::string_view end = rest.substr(text.size(), 2);
  if (end != "\r\n") {
    return Fault(fmt::format("Expected \\r\\n, got: {:02x}{:02x}", static_cast<unsigned char>(end[0]),
                             static_cast<unsigned char>(end[1])));
  }
  at_ += text.size() + 2;
  ++line_;
  return true;
}

bool AofCheck::Command() {
  int64_t count = 0;
  if (!Number('*', count)) return false;
  for (int64_t i = 0; i < count; ++i) {
    int64_t size = 0;
    std::string_view text;
    if (!Number('$', size) || !Bytes(size, text)) return false;
    if (i > 0) continue;
    if (SameWord(text, "multi")) {
      if (in_transaction_) return Fault(fmt::format("Unexpected MULTI in AOF {}", name_));
      in_transaction_ = true;
    } else if (SameWord(text, "exec")) {
      if (!in_transaction_) return Fault(fmt::format("Unexpected EXEC in AOF {}", name_));
      in_transaction_ = false;
    }
  }
  return true;
}

AofCheck::Result AofCheck::Check(std::string_view bytes, size_t begin, std::optional<int64_t> until,
                                 std::string_view name) {
  bytes_ = bytes;
  name_ = name;
  at_ = begin;
  in_transaction_ = ended_ = false;
  fault_.clear();
  Result result;
  while (true) {
    if (!in_transaction_) result.whole = at_;
    if (at_ == bytes_.size()) {
      ended_ = true;
      break;
    }
    if (bytes_[at_] == '*') {
      if (!Command()) break;
      ++result.commands;
    } else if (bytes_[at_] == '#') {
      const std::string_view line = LineAt(bytes_, at_, kAnnotationBytes);
      if (until && line.starts_with(kTimePrefix)) {
        const LeadingNumber time = ReadLeadingNumber(line.substr(kTimePrefix.size()));
        if (line.substr(kTimePrefix.size() + time.size) != "\r\n") {
          result.outcome = Result::Outcome::kBadAnnotation;
          break;
        }
        if (time.value > *until) {
          result.outcome = Result::Outcome::kLater;
          break;
        }
      }
      at_ += line.size();
    } else {
      result.bad_record = true;
      break;
    }
  }
  if (result.outcome == Result::Outcome::kRead && ended_ && in_transaction_ && fault_.empty()) {
    Fault("Reached EOF before reading EXEC for MULTI");
  }
  result.fault = fault_;
  return result;
}

}  // namespace cinnabar::persistence
