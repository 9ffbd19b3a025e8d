// Two ways, with the same result:
//
// Slicing-by-8 (Kounavis & Berry, 2005): kTables[k][b] is the checksum of byte b followed by k zero bytes, so
// eight table lookups that do not depend on each other take in eight bytes at once.
//
// Folding (Gopal et al., 2009), where the CPU multiplies without carries, for what is longer than a few
// blocks: the bytes so far are a polynomial, of which only the remainder matters. Four blocks of 16 bytes
// stand for it. Each is moved on by 64 bytes, that is, multiplied by x^512: its two halves are multiplied by
// remainders of the right powers of x, and the next block is added. What is left in the end goes through the
// tables.
#include "base/crc64.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

#ifdef __x86_64__
#include <immintrin.h>
#endif

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

uint64_t Slice(uint64_t crc, std::string_view bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
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

#ifdef __x86_64__

constexpr size_t kBlockBytes = 16, kLanes = 4;
constexpr size_t kFoldFrom = 3 * kBlockBytes, kFoldInLanesFrom = 2 * kLanes * kBlockBytes;

// x^power modulo the polynomial. Everything here is reflected: the highest bit is the coefficient of x^0.
constexpr uint64_t PowerOfX(unsigned power) {
  uint64_t value = uint64_t{1} << 63;
  for (; power > 0; --power) value = (value >> 1) ^ ((value & 1) ? kReflectedPolynomial : 0);
  return value;
}

// The factors for the two halves of a block that moves on by so many bits. The product of two reflected
// numbers is one bit short of being reflected itself, which is one power of x too many.
struct Factors {
  uint64_t first_half, second_half;
};
constexpr Factors FactorsFor(unsigned bits) {
  return {PowerOfX(bits + 64 - 1), PowerOfX(bits - 1)};
}
constexpr Factors kByFourBlocks = FactorsFor(8 * kBlockBytes * kLanes),
                  kByOneBlock = FactorsFor(8 * kBlockBytes);

__m128i LoadBlock(const char* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

[[gnu::target("pclmul")]] inline __m128i Move(__m128i block, __m128i factors) {
  return _mm_xor_si128(_mm_clmulepi64_si128(block, factors, 0x00),
                       _mm_clmulepi64_si128(block, factors, 0x11));
}

__m128i Pair(const Factors& factors) {
  return _mm_set_epi64x(static_cast<int64_t>(factors.second_half), static_cast<int64_t>(factors.first_half));
}

// REQUIRES: at least kFoldFrom bytes.
[[gnu::target("pclmul")]] uint64_t Fold(uint64_t crc, std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  const auto left = [&] { return static_cast<size_t>(end - at); };
  const auto next = [&] { return LoadBlock(std::exchange(at, at + kBlockBytes)); };
  const __m128i by_four = Pair(kByFourBlocks), by_one = Pair(kByOneBlock);
  __m128i sum = _mm_xor_si128(next(), _mm_set_epi64x(0, static_cast<int64_t>(crc)));
  if (bytes.size() >= kFoldInLanesFrom) {
    __m128i lanes[kLanes] = {sum, next(), next(), next()};
    while (left() >= kLanes * kBlockBytes) {
      for (__m128i& lane : lanes) lane = _mm_xor_si128(Move(lane, by_four), next());
    }
    sum = lanes[0];
    for (size_t i = 1; i < kLanes; ++i) sum = _mm_xor_si128(Move(sum, by_one), lanes[i]);
  }
  while (left() >= kBlockBytes) sum = _mm_xor_si128(Move(sum, by_one), next());
  char rest[kBlockBytes];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), sum);
  return Slice(Slice(0, {rest, sizeof rest}), {at, left()});
}

const bool kFolds = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("pclmul") != 0;
}();

#endif

}  // namespace

uint64_t Crc64(uint64_t crc, std::string_view bytes) {
#ifdef __x86_64__
  if (bytes.size() >= kFoldFrom && kFolds) return Fold(crc, bytes);
#endif
  return Slice(crc, bytes);
}

}  // namespace cinnabar
