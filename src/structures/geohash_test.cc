#include "structures/geohash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace cinnabar::geohash {
namespace {

constexpr Point kPalermo{13.361389, 38.115556};
constexpr Point kCatania{15.087269, 37.502669};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string TextOf(const Point& point) {
  const StandardText text = ToStandardText(point);
  return {text.data(), text.size()};
}

TEST(Geohash, KnownHashes) {
  EXPECT_EQ(Encode(kPalermo), 3479099956230698u);
  EXPECT_EQ(Encode(kCatania), 3479447370796909u);
  EXPECT_EQ(Encode({-180, -kLatitudeMax}), 0u);
  EXPECT_EQ(Encode({180, 0}), 10133099161583616u);
  EXPECT_EQ(Encode({180, kLatitudeMax}), 13510798882111488u);
}

TEST(Geohash, KnownCentres) {
  EXPECT_EQ(Decode(3479099956230698).longitude, 13.361389338970184);
  EXPECT_EQ(Decode(3479099956230698).latitude, 38.1155563954963);
  EXPECT_EQ(Decode(13510798882111488).longitude, 180);
  EXPECT_EQ(Decode(13510798882111488).latitude, kLatitudeMax);
}

TEST(Geohash, EveryNumberDecodesWithinTheLimits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(IsValid(Decode(random())));
}

TEST(Geohash, ScoresThatAreNoGeohash) {
  EXPECT_EQ(HashOfScore(5.7), 5u);
  EXPECT_EQ(HashOfScore(-0.5), 0u);
  EXPECT_EQ(HashOfScore(-1), ~uint64_t{0});
  EXPECT_EQ(HashOfScore(kInfinity), 0u);
  EXPECT_EQ(HashOfScore(-kInfinity), uint64_t{1} << 63);
  EXPECT_EQ(HashOfScore(-1e300), uint64_t{1} << 63);
}

TEST(Geohash, StandardText) {
  EXPECT_EQ(TextOf(Decode(Encode(kPalermo))), "sqc8b49rny0");
  EXPECT_EQ(TextOf(Decode(Encode({-5.6, 42.6}))), "ezs42e44yx0");
}

TEST(Geohash, Distances) {
  EXPECT_NEAR(Distance(Decode(Encode(kPalermo)), Decode(Encode(kCatania))), 166274.1516, 1e-4);
  EXPECT_EQ(Distance(kPalermo, kPalermo), 0);
  EXPECT_NEAR(Distance({0, 0}, {180, 0}), std::numbers::pi * kEarthRadiusMetres, 1);
}

TEST(Geohash, ValidPoints) {
  EXPECT_TRUE(IsValid({-180, kLatitudeMax}));
  EXPECT_FALSE(IsValid({180.001, 0}));
  EXPECT_FALSE(IsValid({0, 85.06}));
  EXPECT_FALSE(IsValid({std::nan(""), 0}));
}

TEST(Geohash, QuartersMakeTheCell) {
  const Cell cell{.first = 3 * (uint64_t{1} << 50), .steps = 1};
  EXPECT_EQ(cell.Quarter(0).first, cell.first);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(cell.Quarter(i).first + cell.Quarter(i).size(), cell.Quarter(i + 1).first);
  }
  EXPECT_EQ(cell.Quarter(3).first + cell.Quarter(3).size(), cell.first + cell.size());
}

// Random points, many of them close to `centre` and to the limits of the map.
Point RandomPoint(std::mt19937_64& random, const Point& centre, double metres) {
  std::uniform_real_distribution<double> unit(-1, 1);
  switch (random() % 4) {
    case 0:
      return {unit(random) * 180, unit(random) * kLatitudeMax};
    case 1: {
      const double sides[] = {-1, 1, unit(random)};
      return {sides[random() % 3] * 180, sides[random() % 3] * kLatitudeMax};
    }
    default: {
      const double degrees = std::min(metres / 60000, 180.0);
      const double longitude = centre.longitude + unit(random) * degrees * 2;
      return {std::remainder(longitude, 360),
              std::clamp(centre.latitude + unit(random) * degrees, -kLatitudeMax, kLatitudeMax)};
    }
  }
}

double RandomLength(std::mt19937_64& random) {
  return std::pow(10, std::uniform_real_distribution<double>(0, 7.5)(random));
}

Area RandomArea(std::mt19937_64& random) {
  const Point centre = Decode(Encode(RandomPoint(random, {0, 80}, 100000)));
  if (random() % 2 == 0) return Area::Circle(centre, RandomLength(random));
  return Area::Box(centre, RandomLength(random), RandomLength(random));
}

bool InSome(const CellList& cells, uint64_t hash) {
  return std::any_of(cells.begin(), cells.end(),
                     [&](const Cell& cell) { return hash >= cell.first && hash - cell.first < cell.size(); });
}

// No way of skipping leads past a hash of the area.
void ExpectFoundBySkipping(const Area& area, const CellList& cells, uint64_t hash, std::mt19937_64& random) {
  for (const Cell& cell : cells) {
    if (hash < cell.first || hash - cell.first >= cell.size()) continue;
    for (const uint64_t from : {cell.first, hash, hash - random() % (hash - cell.first + 1)}) {
      const auto next = area.NextIn(cell, from);
      ASSERT_TRUE(next) << hash;
      ASSERT_GE(*next, from);
      ASSERT_LE(*next, hash);
      ASSERT_EQ(area.NextIn(cell, *next), next);
    }
    return;
  }
  FAIL() << "no cell holds " << hash;
}

TEST(Geohash, EveryPointOfAnAreaIsFoundAndNoOther) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const Area area = RandomArea(random);
    const CellList cells = area.Cover();
    for (int i = 0; i < 100; ++i) {
      const uint64_t hash = Encode(RandomPoint(random, area.centre(), RandomLength(random)));
      const auto naive = area.Find(Decode(hash));
      ASSERT_EQ(area.Find(hash), naive) << hash;
      if (!naive) continue;
      ASSERT_NEAR(*naive, Distance(area.centre(), Decode(hash)), 1e-6);
      ExpectFoundBySkipping(area, cells, hash, random);
    }
  }
}

TEST(Geohash, CircleIsWhatIsNoFartherThanItsRadius) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100000; ++i) {
    const double radius = RandomLength(random);
    const Point centre = RandomPoint(random, {0, 80}, radius);
    const Point point = Decode(Encode(RandomPoint(random, centre, radius)));
    const double distance = Distance(centre, point);
    if (std::fabs(distance - radius) < 1e-6 * radius) continue;
    ASSERT_EQ(Area::Circle(centre, radius).Find(point).has_value(), distance <= radius);
  }
}

TEST(Geohash, CoverIsDisjointAndSmall) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 10000; ++round) {
    const CellList cells = RandomArea(random).Cover();
    std::set<uint64_t> firsts;
    for (const Cell& cell : cells) ASSERT_TRUE(firsts.insert(cell.first).second);
    for (size_t i = 0; i < cells.size(); ++i) {
      for (size_t j = 0; j < cells.size(); ++j) {
        if (i == j || cells[i].first > cells[j].first) continue;
        ASSERT_GE(cells[j].first - cells[i].first, cells[i].size());
      }
    }
  }
}

TEST(Geohash, AcrossTheDateLine) {
  const Area area = Area::Box({179, 37}, 400000, 400000);
  for (const double longitude : {179.5, -179.5, 180.0, -180.0}) {
    const uint64_t hash = Encode({longitude, 36});
    EXPECT_TRUE(area.Find(hash)) << longitude;
    EXPECT_TRUE(InSome(area.Cover(), hash)) << longitude;
  }
}

TEST(Geohash, AcrossThePole) {
  const Area area = Area::Circle({45, 65}, 5009431);
  const uint64_t hash = Encode({-135, 85.05});
  EXPECT_TRUE(area.Find(hash));
  EXPECT_TRUE(InSome(area.Cover(), hash));
}

TEST(Geohash, PointsAndTheWholeWorld) {
  const uint64_t hash = Encode(kPalermo);
  const Area point = Area::Circle(Decode(hash), 0);
  EXPECT_EQ(point.Find(hash), 0);
  EXPECT_TRUE(InSome(point.Cover(), hash));
  EXPECT_FALSE(point.Find(Encode(kCatania)));
  for (const Area& world : {Area::Circle(kPalermo, kInfinity), Area::Box(kPalermo, kInfinity, kInfinity)}) {
    for (const uint64_t other : {Encode(kCatania), Encode({180, kLatitudeMax}), Encode({-180, 0})}) {
      EXPECT_TRUE(world.Find(other));
      EXPECT_TRUE(InSome(world.Cover(), other));
    }
  }
}

TEST(Geohash, SmallAreasAreCoveredBySmallCells) {
  // Cells are 2 to 4 radii wide, so that nine of them are at most 12 radii wide.
  for (const Cell& cell : Area::Circle(kPalermo, 1000).Cover()) {
    EXPECT_GE(cell.steps, 13);
  }
}

}  // namespace
}  // namespace cinnabar::geohash
