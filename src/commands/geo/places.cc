#include "commands/geo/places.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/numbers.h"

namespace cinnabar::commands {

double TakeUnit(dispatch::Args& args) {
  if (args.Take("M")) return 1;
  if (args.Take("KM")) return 1000;
  if (args.Take("FT")) return 0.3048;
  if (args.Take("MI")) return 1609.34;
  args.Fail(kBadUnit);
  return 1;
}

geohash::Point TakePoint(dispatch::Args& args) {
  const double longitude = args.Double();
  const double latitude = args.Double();
  const geohash::Point point{.longitude = longitude, .latitude = latitude};
  if (!args.failed() && !geohash::IsValid(point)) {
    args.Fail(fmt::format("ERR invalid longitude,latitude pair {:f},{:f}", longitude, latitude));
  }
  return point;
}

std::optional<geohash::Point> PlaceOf(const types::SortedSet& set, std::string_view member) {
  const auto score = set.Score(member);
  if (!score) return std::nullopt;
  return geohash::Decode(geohash::HashOfScore(*score));
}

// Rounds like printf("%.4f"): where the product may have rounded across a tie, the library does it.
size_t FormatLength(double length, char* out) {
  constexpr double kUnits = 10000;
  constexpr double kExactBelow = 1e11;
  constexpr double kNearTie = 1e-3;
  constexpr int kDecimals = 4;
  const double scaled = length * kUnits;
  const double fraction = scaled - std::floor(scaled);
  if (!(length < kExactBelow) || std::fabs(fraction - 0.5) < kNearTie) {
    return static_cast<size_t>(
        std::to_chars(out, out + kLengthTextBytes, length, std::chars_format::fixed, kDecimals).ptr - out);
  }
  const auto units = static_cast<uint64_t>(scaled + 0.5);
  size_t size = FormatUInt64(units / static_cast<uint64_t>(kUnits), out);
  out[size++] = '.';
  auto decimals = static_cast<unsigned>(units % static_cast<uint64_t>(kUnits));
  for (int i = kDecimals - 1; i >= 0; --i, decimals /= 10) {
    out[size + static_cast<size_t>(i)] = static_cast<char>('0' + decimals % 10);
  }
  return size + kDecimals;
}

// What printf("%.17Lf") makes of it, without the zeros at the end. A coordinate in units of its 17th decimal
// fits into 64 bits, and the exact product into 128.
size_t FormatCoordinate(double degrees, char* out) {
  constexpr uint64_t kUnits = 100'000'000'000'000'000;
  constexpr int kDecimals = 17;
  constexpr int kMantissaBits = 53;
  constexpr int kShiftMax = 120;  // below, nothing is left of any product
  int exponent = 0;
  const double mantissa = std::frexp(std::fabs(degrees), &exponent);
  const int shift = kMantissaBits - exponent;
  uint64_t units = 0;
  if (shift < kShiftMax) {
    const auto whole = static_cast<unsigned __int128>(std::ldexp(mantissa, kMantissaBits)) * kUnits;
    units = static_cast<uint64_t>(whole >> shift);
    const unsigned __int128 half = static_cast<unsigned __int128>(1) << (shift - 1);
    const unsigned __int128 rest = whole & (2 * half - 1);
    units += rest > half || (rest == half && units % 2 == 1);
  }
  size_t size = 0;
  if (degrees < 0 && units > 0) out[size++] = '-';
  size += FormatUInt64(units / kUnits, out + size);
  uint64_t decimals = units % kUnits;
  if (decimals == 0) return size;
  out[size++] = '.';
  for (int i = kDecimals - 1; i >= 0; --i, decimals /= 10) {
    out[size + static_cast<size_t>(i)] = static_cast<char>('0' + decimals % 10);
  }
  size += kDecimals;
  while (out[size - 1] == '0') --size;
  return size;
}

void ReplyLength(protocol::ReplyWriter& reply, double length) {
  char text[kLengthTextBytes];
  reply.Bulk({text, FormatLength(length, text)});
}

namespace {

// A double of RESP3 has these very digits, which are more than the shortest ones.
void ReplyCoordinate(protocol::ReplyWriter& reply, double degrees) {
  char text[1 + kCoordinateTextBytes + 2];
  const size_t size = FormatCoordinate(degrees, text + 1);
  if (reply.version() == protocol::Resp::k2) return reply.Bulk({text + 1, size});
  text[0] = ',';
  std::memcpy(text + 1 + size, "\r\n", 2);
  reply.Raw({text, size + 3});
}

}  // namespace

void ReplyPoint(protocol::ReplyWriter& reply, const geohash::Point& point) {
  reply.Array(2);
  ReplyCoordinate(reply, point.longitude);
  ReplyCoordinate(reply, point.latitude);
}

}  // namespace cinnabar::commands
