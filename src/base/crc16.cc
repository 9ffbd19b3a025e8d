// Slicing-by-2: kTables[1][b] is the checksum of byte b followed by one zero byte, so that two bytes are
// taken in at once by lookups that do not depend on each other.
#include "base/crc16.h"

#include <array>
#include <cstddef>

namespace cinnabar {
namespace {

using Tables = std::array<std::array<uint16_t, 256>, 2>;

constexpr Tables kTables = [] {
  constexpr unsigned kPolynomial = 0x1021;
  Tables tables{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) ? kPolynomial : 0);
    tables[0][byte] = static_cast<uint16_t>(crc);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const unsigned previous = tables[0][byte];
    tables[1][byte] = static_cast<uint16_t>((previous << 8) ^ tables[0][previous >> 8]);
  }
  return tables;
}();

}  // namespace

uint16_t Crc16(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  unsigned crc = 0;
  for (; left >= 2; left -= 2, at += 2)
    crc = kTables[1][(crc >> 8) ^ at[0]] ^ kTables[0][(crc & 0xff) ^ at[1]];
  if (left) crc = ((crc << 8) & 0xffff) ^ kTables[0][(crc >> 8) ^ at[0]];
  return static_cast<uint16_t>(crc);
}

}  // namespace cinnabar
