// Two ways, one result.
//
// Slicing-by-8 (Kounavis & Berry, 2005): kTables[k][b] is the checksum of byte b followed by k zero bytes, so
// eight table lookups that do not depend on each other take in eight bytes at once.
//
// Folding (Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ", 2009), where the
// processor multiplies without carries: 16 bytes are a polynomial of degree 127; moving it n bits ahead in
// the message multiplies it by x^n, and modulo the polynomial of the checksum that is two products of 64
// bits. Four such registers walk through the message 64 bytes at a time, are folded into one, and the 16
// bytes that it holds have the checksum of all that went in.
#include "base/crc64.h"

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace cinnabar {
namespace {

constexpr size_t kSlices = 8;
constexpr uint64_t kReflectedPolynomial = 0x95ac9329ac4bc9b5;

using Tables = std::array<std::array<uint64_t, 256>, kSlices>;

constexpr Tables kTables = [] {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kReflectedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t previous = tables[slice - 1][byte];
      tables[slice][byte] = (previous >> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}();

static_assert(std::endian::native == std::endian::little,
              "the eight-byte step reads words as they lie in memory");

uint64_t BySlices(uint64_t crc, const char* at, size_t left) {
  for (; left >= kSlices; left -= kSlices, at += kSlices) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    word ^= crc;
    crc = kTables[7][word & 0xff] ^ kTables[6][(word >> 8) & 0xff] ^ kTables[5][(word >> 16) & 0xff] ^
          kTables[4][(word >> 24) & 0xff] ^ kTables[3][(word >> 32) & 0xff] ^
          kTables[2][(word >> 40) & 0xff] ^ kTables[1][(word >> 48) & 0xff] ^ kTables[0][word >> 56];
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  }
  return crc;
}

// x^n modulo the polynomial, reflected as everything here: the bit of x^0 is the highest.
constexpr uint64_t PowerOfX(int n) {
  uint64_t power = uint64_t{1} << 63;
  for (int i = 0; i < n; ++i) power = (power >> 1) ^ ((power & 1) != 0 ? kReflectedPolynomial : 0);
  return power;
}

// What moves 16 bytes `bits` ahead: the half that comes first in memory stands 64 bits higher. A product of
// reflected numbers is one bit too low, for which the exponents make up.
template <int bits>
[[gnu::target("pclmul,sse4.1")]] inline __m128i Fold(__m128i ahead, __m128i block) {
  const __m128i powers =
      _mm_set_epi64x(static_cast<int64_t>(PowerOfX(bits - 1)), static_cast<int64_t>(PowerOfX(bits + 63)));
  const __m128i first = _mm_clmulepi64_si128(ahead, powers, 0x00);
  const __m128i second = _mm_clmulepi64_si128(ahead, powers, 0x11);
  return _mm_xor_si128(block, _mm_xor_si128(first, second));
}

// REQUIRES: 64 bytes at least.
[[gnu::target("pclmul,sse4.1")]] uint64_t ByFolding(uint64_t crc, const char* at, size_t left) {
  const auto load = [&](size_t block) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + block);
  };
  __m128i sums[4] = {load(0), load(1), load(2), load(3)};
  sums[0] = _mm_xor_si128(sums[0], _mm_set_epi64x(0, static_cast<int64_t>(crc)));
  for (at += 64, left -= 64; left >= 64; at += 64, left -= 64) {
    for (size_t i = 0; i < 4; ++i) sums[i] = Fold<512>(sums[i], load(i));
  }
  __m128i sum = sums[0];
  for (size_t i = 1; i < 4; ++i) sum = Fold<128>(sum, sums[i]);
  for (; left >= 16; at += 16, left -= 16) sum = Fold<128>(sum, load(0));
  char folded[16];
  std::memcpy(folded, &sum, sizeof folded);
  return BySlices(BySlices(0, folded, sizeof folded), at, left);
}

constexpr size_t kFoldFrom = 128;

}  // namespace

uint64_t Crc64(uint64_t crc, std::string_view bytes) {
  static const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (folds && bytes.size() >= kFoldFrom) return ByFolding(crc, bytes.data(), bytes.size());
  return BySlices(crc, bytes.data(), bytes.size());
}

}  // namespace cinnabar
