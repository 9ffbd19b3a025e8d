#include "structures/bit_ops.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace cinnabar {
namespace {

using namespace std::string_literals;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  // Long stretches of equal bytes, so that searches have something to skip.
  const uint64_t kind = random.Uniform(3);
  for (char& c : bytes) c = static_cast<char>(kind == 0 ? random.Next() : kind == 1 ? 0x00 : 0xff);
  if (kind != 0 && size > 0) bytes[random.Uniform(size)] = static_cast<char>(random.Next());
  return bytes;
}

TEST(BitOps, SingleBits) {
  std::string bytes(2, '\0');
  EXPECT_EQ(SetBit(bytes, 1, Bit::kOne), Bit::kZero);
  EXPECT_EQ(SetBit(bytes, 15, Bit::kOne), Bit::kZero);
  EXPECT_EQ(bytes, "\x40\x01");
  EXPECT_EQ(SetBit(bytes, 1, Bit::kZero), Bit::kOne);
  EXPECT_EQ(bytes, "\0\x01"s);
  EXPECT_EQ(GetBit(bytes, 15), Bit::kOne);
  EXPECT_EQ(GetBit(bytes, 16), Bit::kZero);
  EXPECT_EQ(GetBit(bytes, std::numeric_limits<uint64_t>::max()), Bit::kZero);
}

TEST(BitOps, CountAndFindAgreeWithBitByBit) {
  const uint64_t seed = 4711;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = RandomBytes(random, 1 + random.Uniform(120));
    BitRange range{random.Uniform(bytes.size() * 8), random.Uniform(bytes.size() * 8)};
    if (range.first > range.last) std::swap(range.first, range.last);
    uint64_t ones = 0;
    std::optional<uint64_t> first_one;
    std::optional<uint64_t> first_zero;
    for (uint64_t bit = range.first; bit <= range.last; ++bit) {
      const bool one = GetBit(bytes, bit) == Bit::kOne;
      ones += one;
      if (one && !first_one) first_one = bit;
      if (!one && !first_zero) first_zero = bit;
    }
    ASSERT_EQ(CountOnes(bytes, range), ones);
    ASSERT_EQ(FindBit(bytes, Bit::kOne, range), first_one);
    ASSERT_EQ(FindBit(bytes, Bit::kZero, range), first_zero);
    ASSERT_EQ(CountOnes(bytes), CountOnes(bytes, {0, bytes.size() * 8 - 1}));
  }
  EXPECT_EQ(CountOnes(""), 0u);
}

bool CombineBit(BitOperation operation, const std::vector<bool>& bits) {
  int ones = 0;
  int others = 0;
  for (size_t i = 0; i < bits.size(); ++i) {
    ones += bits[i];
    others += i > 0 && bits[i];
  }
  switch (operation) {
    case BitOperation::kAnd:
      return ones == static_cast<int>(bits.size());
    case BitOperation::kOr:
      return ones > 0;
    case BitOperation::kXor:
      return ones % 2 == 1;
    case BitOperation::kNot:
      return !bits[0];
    case BitOperation::kDifference:
      return bits[0] && others == 0;
    case BitOperation::kOtherwise:
      return !bits[0] && others > 0;
    case BitOperation::kAndAny:
      return bits[0] && others > 0;
    case BitOperation::kExactlyOne:
      return ones == 1;
  }
  return false;
}

TEST(BitOps, CombineAgreesWithBitByBit) {
  const uint64_t seed = 815;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 800; ++i) {
    const auto operation = static_cast<BitOperation>(random.Uniform(8));
    const size_t count = operation == BitOperation::kNot ? 1 : 2 + random.Uniform(4);
    // Once in a while longer than one stripe of the implementation.
    const size_t size_max = random.OneIn(50) ? 20'000 : 100;
    std::vector<std::string> sources;
    for (size_t n = 0; n < count; ++n) sources.push_back(RandomBytes(random, random.Uniform(size_max)));
    const std::vector<std::string_view> views(sources.begin(), sources.end());
    const std::string result = CombineBits(operation, views);
    size_t longest = 0;
    for (const std::string& source : sources) longest = std::max(longest, source.size());
    ASSERT_EQ(result.size(), longest);
    const size_t step = longest > 1000 ? 7 : 1;
    for (uint64_t bit = 0; bit < longest * 8; bit += step) {
      std::vector<bool> bits;
      for (const std::string& source : sources) bits.push_back(GetBit(source, bit) == Bit::kOne);
      ASSERT_EQ(GetBit(result, bit) == Bit::kOne, CombineBit(operation, bits))
          << static_cast<int>(operation) << " " << bit;
    }
  }
  const std::string_view nothing[] = {""};
  EXPECT_EQ(CombineBits(BitOperation::kNot, nothing), "");
}

TEST(BitOps, ParsesFieldTypes) {
  EXPECT_EQ(BitFieldType::Parse("i64")->bits, 64u);
  EXPECT_EQ(BitFieldType::Parse("u1")->signedness, Signedness::kUnsigned);
  for (const char* bad : {"", "i", "u64", "i65", "i0", "x8", "u-1", "u 8", "U8", "u08"}) {
    EXPECT_FALSE(BitFieldType::Parse(bad).has_value()) << bad;
  }
}

TEST(BitOps, FieldsAgreeWithBitByBit) {
  const uint64_t seed = 1234;
  SCOPED_TRACE(seed);
  Random random(seed);
  std::string bytes = RandomBytes(random, 40);
  for (int i = 0; i < 20'000; ++i) {
    const bool is_signed = random.OneIn(2);
    const auto bits = static_cast<unsigned>(1 + random.Uniform(is_signed ? 64 : 63));
    const BitFieldType type{is_signed ? Signedness::kSigned : Signedness::kUnsigned, bits};
    const uint64_t offset = random.Uniform(bytes.size() * 8 + 80);
    uint64_t expected = is_signed && GetBit(bytes, offset) == Bit::kOne ? ~uint64_t{0} : 0;
    for (unsigned bit = 0; bit < bits; ++bit) {
      expected = expected << 1 | (GetBit(bytes, offset + bit) == Bit::kOne ? 1 : 0);
    }
    ASSERT_EQ(GetBitField(bytes, offset, type), static_cast<int64_t>(expected)) << offset << " " << bits;
    if (offset + bits > bytes.size() * 8) continue;
    const std::string before = bytes;
    const uint64_t value = random.Next();
    SetBitField(bytes, offset, type, static_cast<int64_t>(value));
    for (uint64_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const bool inside = bit >= offset && bit < offset + bits;
      const bool wanted =
          inside ? (value >> (bits - 1 - (bit - offset)) & 1) != 0 : GetBit(before, bit) == Bit::kOne;
      ASSERT_EQ(GetBit(bytes, bit) == Bit::kOne, wanted);
    }
  }
}

TEST(BitOps, FieldOverflow) {
  using enum BitFieldOverflow;
  const BitFieldType u8{Signedness::kUnsigned, 8};
  const BitFieldType i8{Signedness::kSigned, 8};
  const BitFieldType i64{Signedness::kSigned, 64};
  const BitFieldType u63{Signedness::kUnsigned, 63};
  EXPECT_EQ(AddToBitField(u8, 250, 5, kFail), 255);
  EXPECT_EQ(AddToBitField(u8, 250, 6, kWrap), 0);
  EXPECT_EQ(AddToBitField(u8, 250, 6, kSaturate), 255);
  EXPECT_EQ(AddToBitField(u8, 250, 6, kFail), std::nullopt);
  EXPECT_EQ(AddToBitField(u8, 3, -4, kWrap), 255);
  EXPECT_EQ(AddToBitField(u8, 3, -4, kSaturate), 0);
  EXPECT_EQ(AddToBitField(u8, -1, 0, kSaturate), 255);
  EXPECT_EQ(AddToBitField(u8, -1, 0, kWrap), 255);
  EXPECT_EQ(AddToBitField(i8, 127, 1, kWrap), -128);
  EXPECT_EQ(AddToBitField(i8, 127, 1, kSaturate), 127);
  EXPECT_EQ(AddToBitField(i8, -128, -1, kSaturate), -128);
  EXPECT_EQ(AddToBitField(i8, -128, -1, kWrap), 127);
  EXPECT_EQ(AddToBitField(i64, kMax, kMax, kSaturate), kMax);
  EXPECT_EQ(AddToBitField(i64, kMin, kMin, kWrap), 0);
  EXPECT_EQ(AddToBitField(i64, kMin, -1, kSaturate), kMin);
  EXPECT_EQ(AddToBitField(i64, kMax, 1, kFail), std::nullopt);
  EXPECT_EQ(AddToBitField(u63, kMax, 1, kWrap), 0);
  EXPECT_EQ(AddToBitField(u63, 0, kMin, kSaturate), 0);
}

}  // namespace
}  // namespace cinnabar
