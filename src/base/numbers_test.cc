#include "base/numbers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "base/random.h"

namespace cinnabar {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(Numbers, ParsesCanonicalIntegersOnly) {
  EXPECT_EQ(ParseInt64("0"), 0);
  EXPECT_EQ(ParseInt64("-1"), -1);
  EXPECT_EQ(ParseInt64("9223372036854775807"), kMax);
  EXPECT_EQ(ParseInt64("-9223372036854775808"), kMin);
  EXPECT_EQ(ParseUInt64("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "1a", "a", "0x10", "1.0", "--1",
                          "9223372036854775808", "-9223372036854775809", "18446744073709551616",
                          "99999999999999999999", "100000000000000000000"}) {
    EXPECT_EQ(ParseInt64(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseUInt64("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseUInt64("-1"), std::nullopt);
  EXPECT_EQ(ParseInt64(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Numbers, IntegersRoundTripAtEveryLength) {
  const uint64_t seed = 42;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = static_cast<int64_t>(random.Next() >> random.Uniform(64)) * (random.OneIn(2) ? -1 : 1);
    const std::string text = Int64ToString(value);
    char expected[32];
    std::snprintf(expected, sizeof(expected), "%ld", value);
    ASSERT_EQ(text, expected);
    ASSERT_EQ(ParseInt64(text), value);
  }
  for (uint64_t power = 1, i = 0; i < 20; ++i, power *= 10) {
    for (uint64_t value : {power - 1, power, power + 1}) {
      char text[kInt64TextBytes];
      const std::string formatted(text, FormatUInt64(value, text));
      ASSERT_EQ(formatted, std::to_string(value));
      ASSERT_EQ(ParseUInt64(formatted), value);
    }
  }
  EXPECT_EQ(Int64ToString(kMin), "-9223372036854775808");
}

TEST(Numbers, ParsesDoublesLikeTheCLibrary) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ParseDouble("1"), 1.0);
  EXPECT_EQ(ParseDouble("+1.5"), 1.5);
  EXPECT_EQ(ParseDouble("-.5"), -0.5);
  EXPECT_EQ(ParseDouble("5."), 5.0);
  EXPECT_EQ(ParseDouble("1e3"), 1000.0);
  EXPECT_EQ(ParseDouble("0x1p4"), 16.0);
  EXPECT_EQ(ParseDouble("0xff"), 255.0);
  EXPECT_EQ(ParseDouble("inf"), infinity);
  EXPECT_EQ(ParseDouble("+inf"), infinity);
  EXPECT_EQ(ParseDouble("-INF"), -infinity);
  EXPECT_EQ(ParseDouble("infinity"), infinity);
  EXPECT_EQ(ParseDouble("4.9e-324"), std::numeric_limits<double>::denorm_min());
  for (const char* bad :
       {"",      " 1",     "1 ",     "nan", "-nan", "nan(1)", "1e",  "e5",  "abc", "1.2.3",
        "1e400", "-1e400", "1e-400", "+",   "-",    ".",      "+-1", "--1", "0x",  "inff"}) {
    EXPECT_EQ(ParseDouble(bad), std::nullopt) << bad;
    EXPECT_EQ(ParseLongDouble(bad).has_value(), std::strpbrk(bad, "4") != nullptr) << bad;
  }
  EXPECT_EQ(ParseDouble(std::string_view("1\0002", 3)), std::nullopt);
  EXPECT_EQ(ParseLongDouble(std::string_view("1\0002", 3)), std::nullopt);
  EXPECT_EQ(ParseDouble(std::string(200, '1')), std::stod(std::string(200, '1')));
}

TEST(Numbers, FormatsDoubles) {
  EXPECT_EQ(DoubleToString(0), "0");
  EXPECT_EQ(DoubleToString(-0.0), "-0");
  EXPECT_EQ(DoubleToString(3), "3");
  EXPECT_EQ(DoubleToString(-3.5), "-3.5");
  EXPECT_EQ(DoubleToString(0.1), "0.1");
  EXPECT_EQ(DoubleToString(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(DoubleToString(0.0001), "0.0001");
  EXPECT_EQ(DoubleToString(0.00001), "1e-05");
  EXPECT_EQ(DoubleToString(1.5e-7), "1.5e-07");
  EXPECT_EQ(DoubleToString(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(DoubleToString(1e16), "10000000000000000");
  EXPECT_EQ(DoubleToString(1e17), "1e+17");
  EXPECT_EQ(DoubleToString(1.25e300), "1.25e+300");
  EXPECT_EQ(DoubleToString(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(DoubleToString(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(DoubleToString(std::nan("")), "nan");
  EXPECT_LE(DoubleToString(-std::numeric_limits<double>::denorm_min()).size(), kDoubleTextBytes);
}

TEST(Numbers, DoublesRoundTrip) {
  const uint64_t seed = 7;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 100'000; ++i) {
    double value = 0;
    const uint64_t bits = random.Next();
    std::memcpy(&value, &bits, sizeof(value));
    if (random.OneIn(2)) value = static_cast<double>(static_cast<int64_t>(random.Next() >> 12)) / 1000;
    if (!std::isfinite(value)) continue;
    const std::string text = DoubleToString(value);
    ASSERT_LE(text.size(), kDoubleTextBytes);
    ASSERT_EQ(ParseDouble(text), value) << text;
    char longest[64];
    std::snprintf(longest, sizeof(longest), "%.17g", value);
    ASSERT_EQ(text.find('e') == std::string::npos, std::strchr(longest, 'e') == nullptr)
        << text << ' ' << longest;
  }
}

TEST(Numbers, FormatsLongDoublesForHumans) {
  EXPECT_EQ(FormatLongDoubleHuman(0), "0");
  EXPECT_EQ(FormatLongDoubleHuman(-0.0L), "0");
  EXPECT_EQ(FormatLongDoubleHuman(3), "3");
  EXPECT_EQ(FormatLongDoubleHuman(100), "100");
  EXPECT_EQ(FormatLongDoubleHuman(10.5L), "10.5");
  EXPECT_EQ(FormatLongDoubleHuman(*ParseLongDouble("1.23") + *ParseLongDouble("0.77")), "2");
  EXPECT_EQ(FormatLongDoubleHuman(*ParseLongDouble("2") - *ParseLongDouble("0.1")), "1.9");
  EXPECT_EQ(FormatLongDoubleHuman(17179869185.5L), "17179869185.5");
  EXPECT_EQ(FormatLongDoubleHuman(-1e-18L), "0");
  const std::string huge = FormatLongDoubleHuman(std::numeric_limits<long double>::max());
  EXPECT_EQ(huge.size(), 4933u);
  EXPECT_EQ(ParseLongDouble(huge), std::numeric_limits<long double>::max());
}

TEST(Numbers, ParsesMemorySizes) {
  EXPECT_EQ(ParseMemorySize("0"), 0u);
  EXPECT_EQ(ParseMemorySize("100b"), 100u);
  EXPECT_EQ(ParseMemorySize("1k"), 1000u);
  EXPECT_EQ(ParseMemorySize("1Kb"), 1024u);
  EXPECT_EQ(ParseMemorySize("64MB"), 64u << 20);
  EXPECT_EQ(ParseMemorySize("2m"), 2'000'000u);
  EXPECT_EQ(ParseMemorySize("3g"), 3'000'000'000u);
  EXPECT_EQ(ParseMemorySize("1gb"), 1u << 30);
  for (const char* bad :
       {"", "mb", "-1", "1tb", "1 mb", "1kbb", "18446744073709551616", "18446744073709551615kb"}) {
    EXPECT_EQ(ParseMemorySize(bad), std::nullopt) << bad;
  }
}

TEST(Numbers, ShortDecimalsAreReadAsTheLibraryReadsThem) {
  const uint64_t seed = 7;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random.Uniform(3) == 0 ? "-" : "";
    const size_t whole = 1 + random.Uniform(12), decimals = random.Uniform(8);
    for (size_t digit = 0; digit < whole; ++digit) text += static_cast<char>('0' + random.Uniform(10));
    if (decimals > 0) text += '.';
    for (size_t digit = 0; digit < decimals; ++digit) text += static_cast<char>('0' + random.Uniform(10));
    const auto value = ParseDouble(text);
    ASSERT_TRUE(value) << text;
    ASSERT_EQ(std::bit_cast<uint64_t>(*value), std::bit_cast<uint64_t>(strtod(text.c_str(), nullptr)))
        << text;
  }
  EXPECT_FALSE(ParseDouble("-"));
  EXPECT_FALSE(ParseDouble("1.2.3"));
  EXPECT_FALSE(ParseDouble("1 "));
}

}  // namespace
}  // namespace cinnabar
