// Dense registers are handled sixteen at a time: twelve bytes are spread over four lanes of 32 bits, three
// bytes each, and shifts within the lanes give every register its own byte.
//
//   lane:  ddddddcc ccccbbbb bbaaaaaa   ->   00dddddd 00cccccc 00bbbbbb 00aaaaaa
#include "structures/internal/hyperloglog_registers.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace cinnabar::hyperloglog::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "lanes are read as they lie in memory");

using Bytes = uint8_t __attribute__((vector_size(16)));
using Lanes = uint32_t __attribute__((vector_size(16)));

constexpr size_t kGroupRegisters = 16;
constexpr size_t kGroupBytes = 12;
constexpr size_t kGroups = kRegisterCount / kGroupRegisters;

Bytes UnpackGroup(const char* packed, size_t group) {
  Bytes raw{};
  const char* at = packed + group * kGroupBytes;
  // The last group may not read beyond the value.
  if (group + 1 < kGroups) {
    std::memcpy(&raw, at, sizeof(raw));
  } else {
    std::memcpy(&raw, at, kGroupBytes);
  }
  const Bytes spread =
      __builtin_shufflevector(raw, raw, 0, 1, 2, 15, 3, 4, 5, 15, 6, 7, 8, 15, 9, 10, 11, 15);
  const Lanes lanes = reinterpret_cast<const Lanes&>(spread);
  const Lanes unpacked =
      (lanes & 0x3f) | ((lanes & 0xfc0) << 2) | ((lanes & 0x3f000) << 4) | ((lanes & 0xfc0000) << 6);
  return reinterpret_cast<const Bytes&>(unpacked);
}

void PackGroup(Bytes registers, char* packed, size_t group) {
  const Lanes lanes = reinterpret_cast<const Lanes&>(registers);
  const Lanes joined =
      (lanes & 0x3f) | ((lanes >> 2) & 0xfc0) | ((lanes >> 4) & 0x3f000) | ((lanes >> 6) & 0xfc0000);
  const Bytes bytes = reinterpret_cast<const Bytes&>(joined);
  const Bytes dense =
      __builtin_shufflevector(bytes, bytes, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
  std::memcpy(packed + group * kGroupBytes, &dense, kGroupBytes);
}

// MurmurHash64A (Austin Appleby, public domain). Stored values depend on it and on the seed.
uint64_t Hash(std::string_view bytes) {
  constexpr uint64_t kSeed = 0xadc83b19;
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t hash = kSeed ^ (bytes.size() * kMultiplier);
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    word *= kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  }
  if (left > 0) {
    uint64_t word = 0;
    std::memcpy(&word, at, left);
    hash = (hash ^ word) * kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

// The two series of Ertl's estimator, which correct for registers that are still 0 and those already full.
double Sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double weight = 1;
  double sum = x;
  for (double previous = -1; sum != previous; weight += weight) {
    x *= x;
    previous = sum;
    sum += x * weight;
  }
  return sum;
}

double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double weight = 1;
  double sum = 1 - x;
  for (double previous = -1; sum != previous;) {
    x = std::sqrt(x);
    previous = sum;
    weight *= 0.5;
    sum -= (1 - x) * (1 - x) * weight;
  }
  return sum / 3;
}

}  // namespace

Proposal Propose(std::string_view element) {
  const uint64_t hash = Hash(element);
  // The added bit bounds the count when all 50 bits are zero.
  const uint64_t rest = (hash >> kIndexBits) | (uint64_t{1} << kHashBits);
  return {static_cast<uint32_t>(hash & (kRegisterCount - 1)),
          static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

// Algorithm 6 of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
// (arXiv:1702.01284): one formula for all cardinalities, without thresholds or empirical tables.
uint64_t Estimate(const Histogram& histogram) {
  constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
  constexpr double kCount = kRegisterCount;
  double z = kCount * Tau((kCount - histogram[kHashBits + 1]) / kCount);
  for (int value = kHashBits; value >= 1; --value) z = 0.5 * (z + histogram[static_cast<size_t>(value)]);
  z += kCount * Sigma(histogram[0] / kCount);
  return static_cast<uint64_t>(std::llround(kAlphaInfinity * kCount * kCount / z));
}

uint8_t GetPacked(const char* packed, size_t index) {
  const size_t byte = index * kRegisterBits / 8;
  const size_t shift = index * kRegisterBits % 8;
  unsigned bits = static_cast<unsigned char>(packed[byte]) >> shift;
  if (shift > 2) bits |= static_cast<unsigned>(static_cast<unsigned char>(packed[byte + 1])) << (8 - shift);
  return bits & (kRegisterLimit - 1);
}

void SetPacked(char* packed, size_t index, uint8_t value) {
  constexpr unsigned kMask = kRegisterLimit - 1;
  const size_t byte = index * kRegisterBits / 8;
  const size_t shift = index * kRegisterBits % 8;
  const auto put = [packed](size_t at, unsigned mask, unsigned bits) {
    packed[at] = static_cast<char>((static_cast<unsigned char>(packed[at]) & ~mask) | bits);
  };
  put(byte, kMask << shift, unsigned{value} << shift);
  if (shift > 2) put(byte + 1, kMask >> (8 - shift), unsigned{value} >> (8 - shift));
}

Histogram CountPacked(const char* packed) {
  // Several tables, because the same value often comes twice in a row and would wait for itself.
  constexpr size_t kTables = 4;
  uint32_t tables[kTables][kRegisterLimit] = {};
  for (size_t group = 0; group < kGroups; ++group) {
    const Bytes registers = UnpackGroup(packed, group);
    uint64_t words[2];
    std::memcpy(words, &registers, sizeof(words));
    for (const uint64_t word : words) {
      ++tables[0][word & 0xff];
      ++tables[1][(word >> 8) & 0xff];
      ++tables[2][(word >> 16) & 0xff];
      ++tables[3][(word >> 24) & 0xff];
      ++tables[0][(word >> 32) & 0xff];
      ++tables[1][(word >> 40) & 0xff];
      ++tables[2][(word >> 48) & 0xff];
      ++tables[3][word >> 56];
    }
  }
  Histogram histogram{};
  for (const auto& table : tables) {
    for (size_t value = 0; value < kRegisterLimit; ++value) histogram[value] += table[value];
  }
  return histogram;
}

void MergePacked(Registers& registers, const char* packed) {
  uint8_t* at = registers.values.data();
  for (size_t group = 0; group < kGroups; ++group, at += kGroupRegisters) {
    const Bytes theirs = UnpackGroup(packed, group);
    Bytes ours;
    std::memcpy(&ours, at, sizeof(ours));
    ours = ours > theirs ? ours : theirs;
    std::memcpy(at, &ours, sizeof(ours));
  }
}

void Pack(const Registers& registers, char* packed) {
  const uint8_t* at = registers.values.data();
  for (size_t group = 0; group < kGroups; ++group, at += kGroupRegisters) {
    Bytes values;
    std::memcpy(&values, at, sizeof(values));
    PackGroup(values, packed, group);
  }
}

}  // namespace cinnabar::hyperloglog::internal
