// Places on the earth as 52-bit numbers, and the search for those near another place.
//
// A geohash halves the world again and again, by longitude and by latitude in turns, and notes each time in
// which half the place lies. 26 halvings of each make a number that a double holds exactly, so that a sorted
// set of such numbers is an index of places:
//
//   bit 51              bit 0          x: longitude -180..180 in 2^26 columns
//   x25 y25 x24 y24 ... x0 y0          y: latitude  -85.05..85.05 in 2^26 rows
//
// All places of a cell (a rectangle that halving has made) are neighbours in that order: one range of scores.
// To search an area is to walk the cells that it touches and to measure what is in them.
//
// Places on the eastern and northern limit are column or row 2^26, one bit above: bits 53 and 52. The column
// 2^26 is the column 0 again, which Area knows; other numbers above 2^52 or below zero are no places that
// these functions make, but decode to something all the same.
//
// Lengths are metres, angles degrees. Everything here is pure: any thread. The layout, the limits and the
// earth's radius are those that clients of GEOADD, GEOHASH and GEODIST see; of the standard geohash text see
// https://en.wikipedia.org/wiki/Geohash. The limit of latitude is that of EPSG:3857.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cinnabar::geohash {

inline constexpr int kBits = 26;  // of each coordinate
inline constexpr double kLongitudeMax = 180;
inline constexpr double kLatitudeMax = 85.05112878;
inline constexpr double kEarthRadiusMetres = 6372797.560856;

struct Point {
  double longitude = 0;
  double latitude = 0;
};

// Whether a place has a geohash. False for NaN.
constexpr bool IsValid(const Point& point) {
  return point.longitude >= -kLongitudeMax && point.longitude <= kLongitudeMax &&
         point.latitude >= -kLatitudeMax && point.latitude <= kLatitudeMax;
}

// REQUIRES: IsValid(point).
uint64_t Encode(const Point& point);
// The centre of the smallest cell, within the limits for any number.
Point Decode(uint64_t hash);

// A geohash as the score of a sorted set. Scores that no geohash has become some number or other, the same
// on every machine.
constexpr double ScoreOf(uint64_t hash) {
  return static_cast<double>(hash);
}
uint64_t HashOfScore(double score);

// The standard text form: base 32 of the hash with latitudes -90..90. 52 bits make ten characters; the
// eleventh is always 0.
using StandardText = std::array<char, 11>;
StandardText ToStandardText(const Point& point);

// On the sphere, along a great circle (haversine).
double Distance(const Point& a, const Point& b);

// `steps` halvings of each coordinate: the hashes `first` to `first + size() - 1`.
struct Cell {
  uint64_t first = 0;
  int steps = 0;

  constexpr uint64_t size() const { return uint64_t{1} << (2 * (kBits - steps)); }
  // The quarters in ascending order. REQUIRES: steps < kBits.
  constexpr Cell Quarter(unsigned index) const {
    return {.first = first + index * (size() / 4), .steps = steps + 1};
  }
};

// Few cells in the order in which their members are found.
class CellList {
 public:
  static constexpr size_t kMost = 28;
  size_t size() const { return size_; }
  const Cell* begin() const { return cells_; }
  const Cell* end() const { return cells_ + size_; }
  const Cell& operator[](size_t index) const { return cells_[index]; }
  // Does nothing if the cell is there already.
  void Add(const Cell& cell);

 private:
  Cell cells_[kMost];
  size_t size_ = 0;
};

// A circle, or a box between two circles of latitude. How wide the box is, is measured at the latitude of
// each place: seen on a map, it is wider the closer to the pole.
class Area {
 public:
  // REQUIRES: IsValid(centre), lengths >= 0 (infinity will do).
  static Area Circle(const Point& centre, double radius_metres);
  static Area Box(const Point& centre, double width_metres, double height_metres);

  const Point& centre() const { return centre_; }

  // The distance to the centre, if the place lies within (its border belongs to it).
  std::optional<double> Find(const Point& point) const;
  // The same for a hash; most that lie outside cost no trigonometry.
  std::optional<double> Find(uint64_t hash) const {
    if (!MayContain(hash)) return std::nullopt;
    return Find(Decode(hash));
  }

  // Cells in which every place of the area lies: the cell of the centre, then those around it (N, S, E, W,
  // NE, NW, SE, SW), then those around these, then the limits of the map; all of them as far as the area
  // touches them. Clients see this order, and the size of the cells, in searches that ask for no order.
  CellList Cover() const;
  // The first hash of the cell from `from` on that lies in the rectangle around the area.
  std::optional<uint64_t> NextIn(const Cell& cell, uint64_t from) const;

 private:
  enum class Shape : uint8_t { kCircle, kBox };

  Area(Shape shape, const Point& centre, double half_width, double half_height);
  // Half the width of the area in degrees; 180: all around the world.
  double LongitudesEachSide() const;
  void SetRectangle();
  // The radius of a circle that holds the area.
  double Reach() const;
  // The cell of the centre: its column and row, in cells.
  struct Block {
    int steps;
    int shift;      // from columns and rows to those of cells
    uint64_t last;  // column and row of cells
    uint64_t x, y;
  };
  Block BlockAt(int steps) const;
  int EstimatedSteps() const;
  bool IsHeldBy(const Block& block) const;
  bool LiesWithin(const Block& block, uint64_t rings) const;
  void AddCell(const Block& block, int east, int north, CellList& cells) const;
  bool MayContain(uint64_t hash) const;
  // Whether the rectangle around the area touches a cell, or encloses it.
  bool Touches(const Cell& cell) const;
  bool Encloses(const Cell& cell) const;

  Shape shape_;
  Point centre_;
  double half_width_;  // or radius
  double half_height_;
  double cosine_of_latitude_;
  // The rectangle around the area, in columns and rows: columns from min_x_ on, eastwards, around the world.
  uint64_t min_x_ = 0;
  uint64_t columns_more_ = 0;
  uint64_t min_y_ = 0;
  uint64_t max_y_ = 0;
};

}  // namespace cinnabar::geohash
