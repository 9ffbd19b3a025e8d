#include "structures/hyperloglog.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "structures/internal/hyperloglog_registers.h"

namespace cinnabar::hyperloglog {
namespace {

constexpr size_t kSparseBytesMax = 3000;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

bool MustAdd(std::string& value, std::string_view element, size_t sparse_bytes_max = kSparseBytesMax) {
  const auto added = Add(value, element, sparse_bytes_max);
  EXPECT_TRUE(added.has_value());
  return added.value_or(false);
}

TEST(HyperLogLog, ANewValueIsEmptyAndCached) {
  const std::string value = Create();
  EXPECT_EQ(value, FromHex("48594c4c0100000000000000000000007fff"));
  EXPECT_TRUE(HasValidHeader(value));
  EXPECT_EQ(CachedCount(value), 0u);
  EXPECT_EQ(Count(value).value(), 0u);
  EXPECT_EQ(DescribeRuns(value).value(), "Z:16384");
}

TEST(HyperLogLog, SmallCountsAreExact) {
  std::string value = Create();
  for (int i = 1; i <= 200; ++i) {
    EXPECT_TRUE(MustAdd(value, std::to_string(i)));
    EXPECT_FALSE(MustAdd(value, std::to_string(i)));
  }
  EXPECT_NEAR(static_cast<double>(Count(value).value()), 200, 3);
  EXPECT_EQ(CachedCount(value), std::nullopt);
  SetCachedCount(value, 200);
  EXPECT_EQ(CachedCount(value), 200u);
  std::string other = value;
  KeepStaleCount(other, value);
  EXPECT_EQ(CachedCount(other), std::nullopt);
  EXPECT_EQ(other[8], value[8]);
  EXPECT_FALSE(MustAdd(value, "7"));
  EXPECT_EQ(CachedCount(value), 200u);
}

TEST(HyperLogLog, RefusesForeignBytes) {
  const std::string good = Create();
  EXPECT_FALSE(HasValidHeader(""));
  EXPECT_FALSE(HasValidHeader("HYLL"));
  EXPECT_FALSE(HasValidHeader(std::string(100, 'x')));
  std::string value = good;
  value[4] = 2;
  EXPECT_FALSE(HasValidHeader(value));
  value[4] = 0;
  EXPECT_FALSE(HasValidHeader(value));
  value.resize(kDenseBytes);
  EXPECT_TRUE(HasValidHeader(value));
}

TEST(HyperLogLog, ReportsCorruptRuns) {
  const std::string header = Create().substr(0, kHeaderBytes);
  std::string many_zeros = header;
  for (int i = 0; i < 140'000; ++i) many_zeros += FromHex("7fff");
  const std::string corrupt[] = {header,
                                 header + FromHex("7ffe"),
                                 header + FromHex("7fff00"),
                                 header + FromHex("7ffe7f"),
                                 header + FromHex("7ffd83"),
                                 many_zeros + '\xff'};
  for (const std::string& value : corrupt) {
    ASSERT_TRUE(HasValidHeader(value));
    EXPECT_FALSE(Count(value).has_value());
    Registers registers;
    EXPECT_FALSE(MergeInto(registers, value).has_value());
    std::string copy = value;
    EXPECT_FALSE(ToDense(copy).has_value());
    EXPECT_FALSE(DescribeRuns(value).has_value());
  }
}

TEST(HyperLogLog, RegistersAndRunsFollowTheModel) {
  const uint64_t seed = 31337;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 30; ++round) {
    std::string value = Create();
    std::string dense = Create();
    ASSERT_TRUE(ToDense(dense).has_value());
    Registers model;
    const uint64_t elements = random.Uniform(round % 3 == 0 ? 20'000 : 1500);
    for (uint64_t i = 0; i < elements; ++i) {
      const std::string element = std::to_string(random.Next());
      const internal::Proposal proposal = internal::Propose(element);
      const bool expected = model.values[proposal.index] < proposal.value;
      if (expected) model.values[proposal.index] = proposal.value;
      const auto in_place = AddInPlace(dense, element);
      ASSERT_EQ(in_place.value(), expected ? InPlace::kChanged : InPlace::kUnchanged);
      const bool sparse = EncodingOf(value) == Encoding::kSparse;
      if (sparse) {
        ASSERT_EQ(AddInPlace(value, element).value(), expected ? InPlace::kNeedsResize : InPlace::kUnchanged);
      }
      ASSERT_EQ(MustAdd(value, element), expected);
      ASSERT_TRUE(value.size() <= kSparseBytesMax || EncodingOf(value) == Encoding::kDense);
    }
    for (const std::string& bytes : {value, dense, Encode(model, Encoding::kSparse, kSparseBytesMax),
                                     Encode(model, Encoding::kDense, kSparseBytesMax)}) {
      ASSERT_TRUE(HasValidHeader(bytes));
      Registers decoded;
      ASSERT_TRUE(MergeInto(decoded, bytes).has_value());
      ASSERT_EQ(decoded.values, model.values);
      ASSERT_EQ(Count(bytes).value(), Count(model));
    }
    ASSERT_TRUE(ToDense(value).has_value());
    EXPECT_EQ(value.substr(kHeaderBytes), dense.substr(kHeaderBytes));
  }
}

TEST(HyperLogLog, LargeRegistersMakeTheValueDense) {
  Registers registers;
  registers.values[5] = 32;
  EXPECT_EQ(EncodingOf(Encode(registers, Encoding::kSparse, kSparseBytesMax)), Encoding::kSparse);
  EXPECT_EQ(EncodingOf(Encode(registers, Encoding::kSparse, 10)), Encoding::kDense);
  registers.values[5] = 33;
  EXPECT_EQ(EncodingOf(Encode(registers, Encoding::kSparse, kSparseBytesMax)), Encoding::kDense);
}

TEST(HyperLogLog, MergeIsTheUnion) {
  std::string left = Create();
  std::string right = Create();
  for (int i = 0; i < 60'000; ++i) MustAdd(left, std::to_string(i));
  for (int i = 30'000; i < 90'000; ++i) MustAdd(right, std::to_string(i));
  Registers both;
  ASSERT_TRUE(MergeInto(both, left).has_value());
  ASSERT_TRUE(MergeInto(both, right).has_value());
  EXPECT_NEAR(static_cast<double>(Count(both)), 90'000, 90'000 * 0.025);
}

TEST(HyperLogLog, EveryRegisterValueIsCounted) {
  // All registers full: an estimate, no crash, whatever it is.
  std::string value = Encode(Registers{}, Encoding::kDense, 0);
  for (size_t i = kHeaderBytes; i < value.size(); ++i) value[i] = '\xff';
  EXPECT_TRUE(Count(value).has_value());
  Registers registers;
  ASSERT_TRUE(MergeInto(registers, value).has_value());
  EXPECT_EQ(registers.values[kRegisterCount - 1], 63);
  EXPECT_EQ(Count(registers), Count(value).value());
}

TEST(HyperLogLog, SelfTestPasses) {
  EXPECT_EQ(SelfTest(), std::nullopt);
}

}  // namespace
}  // namespace cinnabar::hyperloglog
