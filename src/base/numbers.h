// Numbers as clients write and read them: the text forms of integers, doubles and byte sizes.
//
// Parsers take the whole text or refuse it: no leading space, no trailing junk, no embedded zero byte.
// Formatters write into the caller's buffer, never add a terminating zero, and return the length.
// All functions are pure, independent of the locale, and safe to call from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cinnabar {

// Buffer sizes that suffice for every value.
inline constexpr size_t kInt64TextBytes = 21;
inline constexpr size_t kDoubleTextBytes = 32;

// The canonical decimal form and nothing else: FormatInt64(ParseInt64(t)) == t for every accepted t.
// Refused: "", "+1", " 1", "01", "-0", "-", and numbers that do not fit.
std::optional<int64_t> ParseInt64(std::string_view text);
std::optional<uint64_t> ParseUInt64(std::string_view text);

// What C's strtod() accepts, exponent, hexadecimal and "inf" included; NaN and out-of-range values are
// refused (a value that would round to zero although it is not zero is out of range).
std::optional<double> ParseDouble(std::string_view text);
std::optional<long double> ParseLongDouble(std::string_view text);

// A byte count with an optional unit, in any case: b, k = 1000, kb = 1024, m, mb, g, gb.
std::optional<uint64_t> ParseMemorySize(std::string_view text);

// REQUIRES: `out` has room for kInt64TextBytes.
size_t FormatInt64(int64_t value, char* out);
size_t FormatUInt64(uint64_t value, char* out);

// The shortest digits that read back as the same double, laid out like printf("%.17g"): integers below 1e17
// in full, an exponent below 1e-4 and from 1e17 on, "inf", "-inf", "nan", "-0". REQUIRES: `out` has room for
// kDoubleTextBytes.
size_t FormatDouble(double value, char* out);

// Fixed notation with at most 17 decimals and no trailing zeros, so that sums of short decimals look short:
// the form INCRBYFLOAT stores and answers.
std::string FormatLongDoubleHuman(long double value);

// Conveniences for places where an allocation does not matter.
std::string Int64ToString(int64_t value);
std::string DoubleToString(double value);

// Behind ParseInt64() and ParseUInt64(): an optional that is built inside the caller costs nothing, one that
// crosses a call costs more than the parsing.
namespace internal {
bool ParseInt64(std::string_view text, int64_t& value);
bool ParseUInt64(std::string_view text, uint64_t& value);
}  // namespace internal

inline std::optional<int64_t> ParseInt64(std::string_view text) {
  int64_t value;
  if (!internal::ParseInt64(text, value)) return std::nullopt;
  return value;
}

inline std::optional<uint64_t> ParseUInt64(std::string_view text) {
  uint64_t value;
  if (!internal::ParseUInt64(text, value)) return std::nullopt;
  return value;
}

}  // namespace cinnabar
