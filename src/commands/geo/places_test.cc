#include "commands/geo/places.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <string>

#include "base/numbers.h"

namespace cinnabar::commands {
namespace {

std::string Coordinate(double degrees) {
  char text[kCoordinateTextBytes];
  return {text, FormatCoordinate(degrees, text)};
}

std::string Length(double length) {
  char text[kLengthTextBytes];
  return {text, FormatLength(length, text)};
}

std::string Printed(double length) {
  char text[kLengthTextBytes];
  return {text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.4f", length))};
}

TEST(Places, CoordinatesAsPrinted) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> degrees(-180, 180);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::ldexp(degrees(random), -static_cast<int>(random() % 4 * (random() % 40)));
    ASSERT_EQ(Coordinate(value), FormatLongDoubleHuman(value)) << value;
  }
  for (const double value :
       {0.0, -0.0, 1.0, -1.0, 180.0, -180.0, 0.5, 1e-17, -1e-18, 5e-18, 1e-300, 5e-324}) {
    EXPECT_EQ(Coordinate(value), FormatLongDoubleHuman(value)) << value;
  }
}

TEST(Places, LengthsAsPrinted) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(-6, 13);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::pow(10, exponent(random));
    ASSERT_EQ(Length(value), Printed(value));
    const double tie = std::floor(value) + static_cast<double>(random() % 20000) / 20000;
    ASSERT_EQ(Length(tie), Printed(tie));
  }
  for (const double value : {0.0, 0.00005, 0.00015, 9999.99995, 1e11, 1e300}) {
    EXPECT_EQ(Length(value), Printed(value));
  }
}

}  // namespace
}  // namespace cinnabar::commands
