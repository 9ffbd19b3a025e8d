#include "persistence/rdb_reader.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/numbers.h"
#include "structures/lzf.h"

namespace cinnabar::persistence {
namespace {

using namespace rdb_internal;

// LZF makes at most 264 bytes out of 3.
constexpr uint64_t kLzfExpansionMax = 264 / 3;

}  // namespace

uint8_t RdbReader::Byte() {
  const std::string_view byte = Raw(1);
  return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
}

std::string_view RdbReader::Raw(uint64_t size) {
  if (size > left()) Fail(RdbFault::kTruncated, "the bytes end too early");
  if (failed()) return {};
  const std::string_view bytes = bytes_.substr(position_, size);
  position_ += size;
  return bytes;
}

template <typename T>
T RdbReader::Little() {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  T value{};
  const std::string_view bytes = Raw(sizeof value);
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <typename T>
T RdbReader::Big() {
  const T value = Little<T>();
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  return __builtin_bswap64(value);
}

bool RdbReader::LengthOrEncoding(uint64_t& value) {
  const uint8_t first = Byte();
  switch (first & kKindMask) {
    case 0:
      value = first;
      return false;
    case kLength14:
      value = (first & 63u) << 8 | Byte();
      return false;
    case kEncoded:
      value = first & 63u;
      return true;
    default:
      break;
  }
  value = 0;
  if (first == kLength32) {
    value = Big<uint32_t>();
  } else if (first == kLength64) {
    value = Big<uint64_t>();
  } else {
    FailCorrupt("a length in an unknown form");
  }
  return false;
}

uint64_t RdbReader::Length() {
  uint64_t length = 0;
  if (LengthOrEncoding(length)) FailCorrupt("a string where a length belongs");
  return failed() ? 0 : length;
}

uint64_t RdbReader::Count(uint64_t least_bytes) {
  const uint64_t count = Length();
  if (count > left() / least_bytes) Fail(RdbFault::kTruncated, "more elements than bytes");
  return failed() ? 0 : count;
}

std::string_view RdbReader::String(RdbRoom& room) {
  uint64_t length = 0;
  if (!LengthOrEncoding(length)) return Raw(length);
  if (length == kLzf) return Unpack(room);
  int64_t number = 0;
  if (length == kInt8) {
    number = Little<int8_t>();
  } else if (length == kInt16) {
    number = Little<int16_t>();
  } else if (length == kInt32) {
    number = Little<int32_t>();
  } else {
    FailCorrupt("a string in an unknown encoding");
  }
  if (failed()) return {};
  char digits[kInt64TextBytes];
  room.bytes.assign(digits, FormatInt64(number, digits));
  return room.bytes;
}

std::string_view RdbReader::Unpack(RdbRoom& room) {
  const uint64_t packed_size = Length();
  const uint64_t size = Length();
  const std::string_view packed = Raw(packed_size);
  if (failed()) return {};
  constexpr std::string_view kBroken = "a compressed string that cannot be unpacked";
  if (packed_size == 0 || size == 0 || size / kLzfExpansionMax > packed_size ||
      size > std::numeric_limits<uint32_t>::max() || packed_size > std::numeric_limits<uint32_t>::max()) {
    FailCorrupt(kBroken);
    return {};
  }
  room.bytes.resize(size);
  if (!lzf::Unpack(packed, room.bytes.data(), size)) {
    FailCorrupt(kBroken);
    return {};
  }
  return room.bytes;
}

double RdbReader::Double() {
  return Little<double>();
}

double RdbReader::TextDouble() {
  const uint8_t length = Byte();
  if (length == kScoreInfinity) return std::numeric_limits<double>::infinity();
  if (length == kScoreMinusInfinity) return -std::numeric_limits<double>::infinity();
  if (length == kScoreNan) FailCorrupt("a score that is no number");
  const auto number = ParseDouble(Raw(length));
  if (!number) FailCorrupt("a score that is no number");
  return failed() ? 0 : *number;
}

Millis RdbReader::Moment() {
  return Little<int64_t>();
}

}  // namespace cinnabar::persistence
