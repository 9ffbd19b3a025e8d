#include "persistence/rdb_writer.h"

#include <liblzf/lzf.h>

#include <algorithm>
#include <limits>

#include "base/numbers.h"

namespace cinnabar::persistence {
namespace {

using namespace rdb_internal;

// Numbers of 32 bits have no more digits, sign included.
constexpr size_t kIntegerTextMax = 11;
// Shorter strings are not worth the attempt.
constexpr size_t kCompressFrom = 21;
constexpr size_t kSavedLeast = 4;

template <typename T>
void AppendLittle(std::string& out, T value) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

void RdbWriter::Raw(std::string_view bytes) {
  out_.append(bytes);
  DrainIfLarge();
}

void RdbWriter::Length(uint64_t length) {
  if (length < 1 << 6) return Byte(static_cast<uint8_t>(length));
  if (length < 1 << 14) {
    Byte(static_cast<uint8_t>(kLength14 | length >> 8));
    return Byte(static_cast<uint8_t>(length));
  }
  if (length <= std::numeric_limits<uint32_t>::max()) {
    Byte(kLength32);
    return AppendLittle(out_, __builtin_bswap32(static_cast<uint32_t>(length)));
  }
  Byte(kLength64);
  AppendLittle(out_, __builtin_bswap64(length));
}

bool RdbWriter::SmallInteger(int64_t number) {
  const auto as = [&](uint64_t encoding, auto value) {
    if (value != number) return false;
    Byte(static_cast<uint8_t>(kEncoded | encoding));
    AppendLittle(out_, value);
    return true;
  };
  return as(kInt8, static_cast<int8_t>(number)) || as(kInt16, static_cast<int16_t>(number)) ||
         as(kInt32, static_cast<int32_t>(number));
}

bool RdbWriter::Compressed(std::string_view bytes) {
  if (compression_ == Compression::kNone || bytes.size() < kCompressFrom ||
      bytes.size() > std::numeric_limits<uint32_t>::max()) {
    return false;
  }
  const auto size = static_cast<unsigned>(bytes.size());
  std::string packed(size - kSavedLeast, '\0');
  const unsigned packed_size =
      lzf_compress(bytes.data(), size, packed.data(), static_cast<unsigned>(packed.size()));
  if (packed_size == 0) return false;
  Byte(kEncoded | kLzf);
  Length(packed_size);
  Length(size);
  Raw({packed.data(), packed_size});
  return true;
}

void RdbWriter::String(std::string_view bytes) {
  if (bytes.size() <= kIntegerTextMax) {
    if (const auto number = ParseInt64(bytes); number && SmallInteger(*number)) return;
  }
  if (Compressed(bytes)) return;
  Length(bytes.size());
  Raw(bytes);
}

void RdbWriter::Integer(int64_t number) {
  if (SmallInteger(number)) return;
  char digits[kInt64TextBytes];
  const size_t size = FormatInt64(number, digits);
  Length(size);
  Raw({digits, size});
}

void RdbWriter::Double(double number) {
  AppendLittle(out_, number);
}

void RdbWriter::Moment(Millis moment) {
  AppendLittle(out_, moment);
}

}  // namespace cinnabar::persistence
