#include "base/numbers.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>

#include "base/ascii.h"

namespace cinnabar {
namespace {

// A uint64_t holds any 19 digits; the 20th needs care.
constexpr size_t kSafeDigits = 19;
constexpr size_t kUInt64Digits = 20;

// "00" "01" ... "99".
constexpr std::array<char, 200> kDigitPairs = [] {
  std::array<char, 200> pairs{};
  for (int i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

size_t CountDigits(uint64_t value) {
  // 1233 / 4096 is close enough to log10(2) for 64 bits; the table settles the rest.
  static constexpr std::array<uint64_t, 20> kPowers = [] {
    std::array<uint64_t, 20> powers{};
    uint64_t power = 1;
    for (auto& entry : powers) {
      entry = power;
      power *= 10;
    }
    return powers;
  }();
  const unsigned bits = 64 - static_cast<unsigned>(__builtin_clzll(value | 1));
  const unsigned guess = (bits * 1233) >> 12;
  return guess + 1 - (guess < 20 && (value | 1) < kPowers[guess]);
}

template <typename Float>
Float StringToFloat(const char* text, char** end) {
  if constexpr (sizeof(Float) > sizeof(double)) {
    return std::strtold(text, end);
  } else {
    return std::strtod(text, end);
  }
}

// The C library's parser wants a terminating zero, so the text is copied.
template <typename Float>
std::optional<Float> ParseWithLibrary(std::string_view text) {
  // Longer than the digits of the largest long double: nobody's number.
  constexpr size_t kLongestText = 5 * 1024;
  if (text.empty() || text.size() >= kLongestText || IsSpace(text[0])) return std::nullopt;
  char small[64];
  std::string large;
  const char* copy = small;
  if (text.size() < sizeof(small)) {
    std::memcpy(small, text.data(), text.size());
    small[text.size()] = '\0';
  } else {
    large.assign(text);
    copy = large.c_str();
  }
  char* end = nullptr;
  errno = 0;
  const Float value = StringToFloat<Float>(copy, &end);
  if (end != copy + text.size() || std::isnan(value)) return std::nullopt;
  // Subnormal results set ERANGE too, and are welcome.
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

size_t CopyText(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return text.size();
}

// Lays out digits d1 d2 ... dn with value d1.d2...dn * 10^exponent the way %g does.
size_t LayOutDigits(std::string_view digits, int exponent, char* out) {
  constexpr int kFirstScientificExponent = 17;
  char* at = out;
  const auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= kFirstScientificExponent) {
    *at++ = digits[0];
    if (count > 1) {
      *at++ = '.';
      at += CopyText(digits.substr(1), at);
    }
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    const int magnitude = std::abs(exponent);
    if (magnitude < 10) *at++ = '0';
    at += FormatUInt64(static_cast<uint64_t>(magnitude), at);
  } else if (exponent < 0) {
    at += CopyText("0.", at);
    for (int i = -1; i > exponent; --i) *at++ = '0';
    at += CopyText(digits, at);
  } else {
    const int whole = exponent + 1;
    at += CopyText(digits.substr(0, static_cast<size_t>(whole)), at);
    for (int i = count; i < whole; ++i) *at++ = '0';
    if (count > whole) {
      *at++ = '.';
      at += CopyText(digits.substr(static_cast<size_t>(whole)), at);
    }
  }
  return static_cast<size_t>(at - out);
}

}  // namespace

bool internal::ParseUInt64(std::string_view text, uint64_t& value) {
  const size_t size = text.size();
  if (size == 0 || size > kUInt64Digits) return false;
  if (text[0] == '0') {
    value = 0;
    return size == 1;
  }
  const size_t safe = size < kSafeDigits ? size : kSafeDigits;
  uint64_t sum = 0;
  for (size_t i = 0; i < safe; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
    if (digit > 9) return false;
    sum = sum * 10 + digit;
  }
  if (size > safe) {
    const unsigned digit = static_cast<unsigned char>(text[safe]) - unsigned{'0'};
    if (digit > 9 || __builtin_mul_overflow(sum, uint64_t{10}, &sum) ||
        __builtin_add_overflow(sum, uint64_t{digit}, &sum)) {
      return false;
    }
  }
  value = sum;
  return true;
}

bool internal::ParseInt64(std::string_view text, int64_t& value) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  uint64_t magnitude;
  if (!internal::ParseUInt64(text, magnitude)) return false;
  if (magnitude > kMax + (negative ? 1 : 0) || (negative && magnitude == 0)) return false;
  value = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return true;
}

namespace {

// Short plain decimals: their digits and a power of ten are exact as doubles, so that one division rounds
// correctly (Clinger, 1990). False for everything else.
bool ParseShortDecimal(std::string_view text, double& value) {
  static constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  constexpr size_t kDigitsMax = std::size(kPowers) - 1;  // below 2^53
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kDigitsMax + 1) return false;
  uint64_t digits = 0;
  size_t point = text.size();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = static_cast<uint8_t>(text[i] - '0');
    if (digit <= 9) {
      digits = digits * 10 + digit;
    } else if (text[i] == '.' && point == text.size() && i > 0 && i + 1 < text.size()) {
      point = i;
    } else {
      return false;
    }
  }
  const size_t decimals = point == text.size() ? 0 : text.size() - point - 1;
  if (decimals == 0 && text.size() > kDigitsMax) return false;
  value = static_cast<double>(digits) / kPowers[decimals];
  if (negative) value = -value;
  return true;
}

}  // namespace

std::optional<double> ParseDouble(std::string_view text) {
  if (double value = 0; ParseShortDecimal(text, value)) return value;
  // from_chars knows plain decimals; it refuses or stops early at everything else strtod() takes.
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && std::isfinite(value)) return value;
  return ParseWithLibrary<double>(text);
}

std::optional<long double> ParseLongDouble(std::string_view text) {
  return ParseWithLibrary<long double>(text);
}

std::optional<uint64_t> ParseMemorySize(std::string_view text) {
  struct Unit {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr Unit kUnits[] = {
      {"", 1},         {"b", 1},           {"k", 1000},         {"kb", 1 << 10},
      {"m", 1000'000}, {"mb", 1ull << 20}, {"g", 1000'000'000}, {"gb", 1ull << 30},
  };
  uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc()) return std::nullopt;
  const std::string unit = LowerCase({stop, end});
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, known.bytes, &bytes)) return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

size_t FormatUInt64(uint64_t value, char* out) {
  const size_t size = CountDigits(value);
  char* at = out + size;
  while (value >= 100) {
    at -= 2;
    std::memcpy(at, &kDigitPairs[2 * (value % 100)], 2);
    value /= 100;
  }
  if (value >= 10) {
    std::memcpy(at - 2, &kDigitPairs[2 * value], 2);
  } else {
    at[-1] = static_cast<char>('0' + value);
  }
  return size;
}

size_t FormatInt64(int64_t value, char* out) {
  if (value >= 0) return FormatUInt64(static_cast<uint64_t>(value), out);
  *out = '-';
  return 1 + FormatUInt64(0 - static_cast<uint64_t>(value), out + 1);
}

size_t FormatDouble(double value, char* out) {
  constexpr double kLargestPlainInteger = 1e17;
  if (std::isnan(value)) return CopyText("nan", out);
  if (std::isinf(value)) return CopyText(value < 0 ? "-inf" : "inf", out);
  if (std::fabs(value) < kLargestPlainInteger) {
    const auto integer = static_cast<int64_t>(value);
    if (static_cast<double>(integer) == value && (integer != 0 || !std::signbit(value))) {
      return FormatInt64(integer, out);
    }
  }
  size_t sign = 0;
  if (std::signbit(value)) {
    *out = '-';
    sign = 1;
    value = -value;
  }
  if (value == 0) {
    out[sign] = '0';
    return sign + 1;
  }
  char text[kDoubleTextBytes];
  const char* text_end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  const char* mark = static_cast<const char*>(std::memchr(text, 'e', static_cast<size_t>(text_end - text)));
  int exponent = 0;
  std::from_chars(mark + 1 + (mark[1] == '+'), text_end, exponent);
  // "d.ddd" becomes "dddd".
  char digits[kDoubleTextBytes];
  digits[0] = text[0];
  size_t count = 1;
  if (mark > text + 1) count += CopyText({text + 2, static_cast<size_t>(mark - text - 2)}, digits + 1);
  return sign + LayOutDigits({digits, count}, exponent, out + sign);
}

std::string FormatLongDoubleHuman(long double value) {
  constexpr int kDecimals = 17;
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char small[64];
  std::string text;
  const int size = std::snprintf(small, sizeof(small), "%.*Lf", kDecimals, value);
  if (static_cast<size_t>(size) < sizeof(small)) {
    text.assign(small, static_cast<size_t>(size));
  } else {
    text.resize(static_cast<size_t>(size));
    std::snprintf(text.data(), text.size() + 1, "%.*Lf", kDecimals, value);
  }
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  if (text == "-0") text = "0";
  return text;
}

std::string Int64ToString(int64_t value) {
  char text[kInt64TextBytes];
  return {text, FormatInt64(value, text)};
}

std::string DoubleToString(double value) {
  char text[kDoubleTextBytes];
  return {text, FormatDouble(value, text)};
}

}  // namespace cinnabar
