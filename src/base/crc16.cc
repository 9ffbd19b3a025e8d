// Slicing-by-8 (Kounavis & Berry, 2005): kTables[k][b] is the checksum of byte b followed by k zero bytes, so
// that eight bytes are taken in at once by lookups that do not depend on each other.
#include "base/crc16.h"

#include <array>
#include <cstddef>

namespace cinnabar {
namespace {

constexpr size_t kStride = 8;
using Tables = std::array<std::array<uint16_t, 256>, kStride>;

constexpr Tables kTables = [] {
  constexpr unsigned kPolynomial = 0x1021;
  Tables tables{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) ? kPolynomial : 0);
    tables[0][byte] = static_cast<uint16_t>(crc);
  }
  for (size_t zeros = 1; zeros < kStride; ++zeros) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      const unsigned previous = tables[zeros - 1][byte];
      tables[zeros][byte] = static_cast<uint16_t>((previous << 8) ^ tables[0][previous >> 8]);
    }
  }
  return tables;
}();

}  // namespace

uint16_t Crc16(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  unsigned crc = 0;
  for (; left >= kStride; left -= kStride, at += kStride) {
    crc = kTables[7][(crc >> 8) ^ at[0]] ^ kTables[6][(crc & 0xff) ^ at[1]] ^ kTables[5][at[2]] ^
          kTables[4][at[3]] ^ kTables[3][at[4]] ^ kTables[2][at[5]] ^ kTables[1][at[6]] ^ kTables[0][at[7]];
  }
  for (; left >= 2; left -= 2, at += 2)
    crc = kTables[1][(crc >> 8) ^ at[0]] ^ kTables[0][(crc & 0xff) ^ at[1]];
  if (left != 0) crc = ((crc << 8) & 0xffff) ^ kTables[0][(crc >> 8) ^ at[0]];
  return static_cast<uint16_t>(crc);
}

}  // namespace cinnabar
