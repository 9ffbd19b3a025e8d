#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/random.h"

namespace cinnabar {
namespace {

using Method = HashKey::Method;
using Family = std::vector<std::string>;

std::string Word(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}
std::string Numbered(size_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - digits.size(), '0') + digits;
}
template <typename Make>
Family Of(size_t count, Make&& make) {
  Family family;
  for (size_t i = 0; i < count; ++i) family.push_back(make(i));
  return family;
}

constexpr size_t kMany = 32768;

// A word that makes a factor zero in hashes that multiply words with constants added in, which are public.
Family ZeroOperand(uint64_t constant, bool second) {
  return Of(kMany, [=](size_t i) {
    return second ? Numbered(i) + Word(constant) + "tail" : Word(constant) + Numbered(i) + "tail";
  });
}

// Differences in the top bits of words only, which additions and multiplications never carry down.
Family HighBits() {
  return Of(kMany, [](size_t i) {
    std::string key;
    for (size_t word = 0; word < 5; ++word) key += Word((i >> (3 * word) & 7) << 61);
    return key;
  });
}

Family ZeroExtensions() {
  return Of(8192, [](size_t i) { return std::string(i, '\0'); });
}

// Every order of eight blocks.
Family SwappedBlocks() {
  std::vector<char> order(8);
  std::iota(order.begin(), order.end(), 'a');
  Family family;
  do {
    std::string key;
    for (const char c : order) key.append(16, c);
    family.push_back(key);
  } while (std::next_permutation(order.begin(), order.end()));
  return family;
}

// Sums, bit by bit, of shifted multiples of a CRC's polynomial: all of one CRC, whatever it begins with.
Family CrcLinear(uint64_t polynomial) {
  return Of(kMany, [=](size_t i) {
    std::string key(32, 'x');
    for (size_t bit = 0; bit < 15; ++bit) {
      if ((i >> bit & 1) == 0) continue;
      const size_t shift = bit * 11;
      for (size_t term = 0; term < 33; ++term) {
        if ((polynomial >> term & 1) == 0) continue;
        const size_t at = shift + term;
        key[at / 8] = static_cast<char>(key[at / 8] ^ (1 << (at % 8)));
      }
    }
    return key;
  });
}

Family LongPrefix(size_t length) {
  return Of(kMany, [=](size_t i) { return std::string(length, 'p') + Numbered(i); });
}
Family LongSuffix(size_t length) {
  return Of(kMany, [=](size_t i) { return Numbered(i) + std::string(length, 's'); });
}

// One byte changes in each of two blocks that follow each other: the second may cancel the first.
Family TwoBlocks() {
  return Of(65536, [](size_t i) {
    std::string key(48, 'b');
    key[5] = static_cast<char>(i);
    key[21] = static_cast<char>(i >> 8);
    return key;
  });
}

// Powers of the top bit in pairs of words, which hashes by multiplication with an odd number cancel.
Family PairsOfTopBits() {
  return Of(kMany, [](size_t i) {
    std::string key;
    for (size_t bit = 0; bit < 15; ++bit) {
      const uint64_t word = (i >> bit & 1) << 63;
      key += Word(word) + Word(word);
    }
    return key;
  });
}

struct NamedFamily {
  const char* name;
  Family keys;
};

std::vector<NamedFamily> Families() {
  return {{"zero operand of wyhash, first", ZeroOperand(0xa0761d6478bd642f, false)},
          {"zero operand of wyhash, second", ZeroOperand(0xe7037ed1a0b428db, true)},
          {"zero word", ZeroOperand(0, false)},
          {"high bits", HighBits()},
          {"longer and longer zeros", ZeroExtensions()},
          {"swapped blocks", SwappedBlocks()},
          {"linear for CRC-32", CrcLinear(0x104c11db7)},
          {"linear for CRC-32C", CrcLinear(0x11edc6f41)},
          {"prefix of 1000", LongPrefix(1000)},
          {"prefix of 8", LongPrefix(8)},
          {"suffix of 16", LongSuffix(16)},
          {"suffix of 1000", LongSuffix(1000)},
          {"one byte in each of two blocks", TwoBlocks()},
          {"pairs of top bits", PairsOfTopBits()},
          {"decimal numbers", Of(kMany, [](size_t i) { return std::to_string(i); })},
          {"words", Of(kMany, [](size_t i) { return Word(i); })}};
}

// How far the loads of `1 << bits` places are from those of random numbers, in standard deviations.
double Unevenness(const std::vector<uint64_t>& hashes, int shift, int bits) {
  const size_t places = size_t{1} << bits;
  std::vector<size_t> loads(places);
  for (const uint64_t hash : hashes) ++loads[hash >> shift & (places - 1)];
  const double mean = static_cast<double>(hashes.size()) / static_cast<double>(places);
  double chi_square = 0;
  for (const size_t load : loads) chi_square += std::pow(static_cast<double>(load) - mean, 2) / mean;
  const double freedom = static_cast<double>(places) - 1;
  return (chi_square - freedom) / std::sqrt(2 * freedom);
}

class HashTest : public testing::TestWithParam<Method> {
 protected:
  void SetUp() override {
    if (GetParam() == Method::kAes && HashKey::BestMethod() != Method::kAes) GTEST_SKIP() << "no AES";
  }
  HashKey Key(uint64_t seed) const { return HashKey(seed, ~seed, GetParam()); }
};

TEST_P(HashTest, FamiliesThatBreakOtherHashesAreSpreadEvenly) {
  for (const NamedFamily& family : Families()) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(family.name);
      const HashKey key = Key(seed);
      std::vector<uint64_t> hashes;
      for (const std::string& bytes : family.keys) hashes.push_back(HashBytes(bytes, key));
      const std::unordered_set<uint64_t> distinct(hashes.begin(), hashes.end());
      EXPECT_EQ(distinct.size(), hashes.size());
      EXPECT_LT(std::abs(Unevenness(hashes, 0, 10)), 6) << "which choose the shard";
      EXPECT_LT(std::abs(Unevenness(hashes, 10, 12)), 6) << "which choose the bucket";
      EXPECT_LT(std::abs(Unevenness(hashes, 49, 12)), 6) << "which are the tag";
      EXPECT_LT(std::abs(Unevenness(hashes, 32, 10)), 6);
    }
  }
}

TEST_P(HashTest, EveryBitOfTheInputChangesEveryBitOfTheHashHalfOfTheTime) {
  Random random(7);
  const HashKey key = Key(11);
  constexpr int kTries = 1000;
  for (const size_t length : {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 100}) {
    for (size_t bit = 0; bit < length * 8; ++bit) {
      int flips[64] = {};
      for (int i = 0; i < kTries; ++i) {
        std::string bytes(length, '\0');
        for (char& c : bytes) c = static_cast<char>(random.Next());
        const uint64_t before = HashBytes(bytes, key, static_cast<uint64_t>(i));
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        const uint64_t changed = before ^ HashBytes(bytes, key, static_cast<uint64_t>(i));
        for (int out = 0; out < 64; ++out) flips[out] += static_cast<int>(changed >> out & 1);
      }
      // Seven standard deviations.
      for (const int flipped : flips)
        ASSERT_NEAR(flipped, kTries / 2, 7 * std::sqrt(kTries) / 2) << length << ' ' << bit;
    }
  }
}

TEST_P(HashTest, EveryBitOfTheSecretAndOfTheTweakMatters) {
  for (const std::string& bytes : {std::string(), std::string("key"), std::string(40, 'k')}) {
    std::set<uint64_t> seen{HashBytes(bytes, HashKey(0, 0, GetParam()))};
    for (int bit = 0; bit < 64; ++bit) {
      EXPECT_TRUE(seen.insert(HashBytes(bytes, HashKey(1ull << bit, 0, GetParam()))).second);
      EXPECT_TRUE(seen.insert(HashBytes(bytes, HashKey(0, 1ull << bit, GetParam()))).second);
    }
  }
  std::set<uint64_t> seen;
  for (int bit = 0; bit < 64; ++bit) EXPECT_TRUE(seen.insert(HashBytes("key", Key(1), 1ull << bit)).second);
}

// Lengths around the limits of a block, and nothing is read that is not there (for sanitizers).
TEST_P(HashTest, EveryByteAndTheLengthCount) {
  const HashKey key = Key(5);
  std::set<uint64_t> seen;
  for (size_t length = 0; length <= 70; ++length) {
    const std::vector<char> exact(length, 'x');
    EXPECT_TRUE(seen.insert(HashBytes({exact.data(), length}, key)).second) << length;
    for (size_t at = 0; at < length; ++at) {
      std::vector<char> other = exact;
      other[at] = 'y';
      EXPECT_TRUE(seen.insert(HashBytes({other.data(), length}, key)).second) << length << ' ' << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, HashTest, testing::Values(Method::kAes, Method::kSip),
                         [](const auto& info) { return info.param == Method::kAes ? "Aes" : "Sip"; });

// Appendix A of the paper: the key 00 01 .. 0f, the message 00 01 .. 0e; and first vectors published with it.
TEST(SipHash, VectorsOfItsPaper) {
  constexpr uint64_t kLow = 0x0706050403020100, kHigh = 0x0f0e0d0c0b0a0908;
  std::string message;
  for (char c = 0; c < 15; ++c) message += c;
  const std::string_view all = message;
  using hash_internal::SipHash;
  EXPECT_EQ((SipHash<2, 4>(all, kLow, kHigh)), 0xa129ca6149be45e5);
  EXPECT_EQ((SipHash<2, 4>(all.substr(0, 0), kLow, kHigh)), 0x726fdb47dd0e0e31);
  EXPECT_EQ((SipHash<2, 4>(all.substr(0, 1), kLow, kHigh)), 0x74f839c593dc67fd);
}

TEST(HashKey, IsDrawnAtRandom) {
  const HashKey a = HashKey::Random(), b = HashKey::Random();
  EXPECT_NE(a.low(), b.low());
  EXPECT_NE(a.high(), b.high());
  EXPECT_EQ(&HashKey::OfProcess(), &HashKey::OfProcess());
}

}  // namespace
}  // namespace cinnabar
