#include "structures/geohash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cinnabar::geohash {
namespace {

constexpr uint64_t kCells = uint64_t{1} << kBits;
constexpr uint64_t kColumnMask = kCells - 1;
constexpr double kStandardLatitudeMax = 90;
// Half the length of the equator of EPSG:3857: from here on one cell is the world.
constexpr double kHalfEquatorMetres = 20037726.37;

constexpr double Radians(double degrees) {
  return degrees * (std::numbers::pi / 180);
}
constexpr double Degrees(double radians) {
  return radians / (std::numbers::pi / 180);
}

// Moves bit i to bit 2i.
constexpr uint64_t Spread(uint64_t bits) {
  bits = (bits | bits << 16) & 0x0000FFFF0000FFFF;
  bits = (bits | bits << 8) & 0x00FF00FF00FF00FF;
  bits = (bits | bits << 4) & 0x0F0F0F0F0F0F0F0F;
  bits = (bits | bits << 2) & 0x3333333333333333;
  return (bits | bits << 1) & 0x5555555555555555;
}

// Moves bit 2i to bit i and drops the others.
constexpr uint64_t Gather(uint64_t bits) {
  bits &= 0x5555555555555555;
  bits = (bits | bits >> 1) & 0x3333333333333333;
  bits = (bits | bits >> 2) & 0x0F0F0F0F0F0F0F0F;
  bits = (bits | bits >> 4) & 0x00FF00FF00FF00FF;
  bits = (bits | bits >> 8) & 0x0000FFFF0000FFFF;
  return (bits | bits >> 16) & 0x00000000FFFFFFFF;
}

constexpr uint64_t Interleave(uint64_t x, uint64_t y) {
  return Spread(x) << 1 | Spread(y);
}
constexpr uint64_t ColumnOf(uint64_t hash) {
  return Gather(hash >> 1);
}
constexpr uint64_t RowOf(uint64_t hash) {
  return Gather(hash);
}

// `value` counted in cells from -max. Written so that it rounds as clients know it.
double InCells(double value, double max) {
  return (value + max) / (2 * max) * static_cast<double>(kCells);
}

uint64_t EncodeWithin(const Point& point, double latitude_max) {
  return Interleave(static_cast<uint32_t>(InCells(point.longitude, kLongitudeMax)),
                    static_cast<uint32_t>(InCells(point.latitude, latitude_max)));
}

double CentreOf(uint64_t cell, double max) {
  const double cells = static_cast<double>(kCells);
  const double low = -max + static_cast<double>(cell) / cells * (2 * max);
  const double high = -max + (static_cast<double>(cell) + 1) / cells * (2 * max);
  return std::clamp((low + high) / 2, -max, max);
}

double LatitudeDistance(double a, double b) {
  return kEarthRadiusMetres * std::fabs(Radians(a) - Radians(b));
}

double Haversine(const Point& a, const Point& b, double cosine_of_a, double cosine_of_b) {
  const double v = std::sin((Radians(b.longitude) - Radians(a.longitude)) / 2);
  if (v == 0) return LatitudeDistance(b.latitude, a.latitude);
  const double u = std::sin((Radians(b.latitude) - Radians(a.latitude)) / 2);
  const double square = u * u + cosine_of_a * cosine_of_b * v * v;
  return 2 * kEarthRadiusMetres * std::asin(std::sqrt(std::min(square, 1.0)));
}

}  // namespace

uint64_t Encode(const Point& point) {
  return EncodeWithin(point, kLatitudeMax);
}

Point Decode(uint64_t hash) {
  return {.longitude = CentreOf(ColumnOf(hash), kLongitudeMax),
          .latitude = CentreOf(RowOf(hash), kLatitudeMax)};
}

uint64_t HashOfScore(double score) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (score >= 0) return score < 2 * kTwoTo63 ? static_cast<uint64_t>(score) : 0;
  if (score > -kTwoTo63) return static_cast<uint64_t>(static_cast<int64_t>(score));
  return uint64_t{1} << 63;
}

StandardText ToStandardText(const Point& point) {
  constexpr std::string_view kDigits = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr int kDigitBits = 5;
  const uint64_t hash = EncodeWithin(point, kStandardLatitudeMax);
  StandardText text;
  int shift = 2 * kBits;
  for (char& c : text) {
    shift -= kDigitBits;
    c = kDigits[shift >= 0 ? hash >> shift & 31 : 0];
  }
  return text;
}

double Distance(const Point& a, const Point& b) {
  return Haversine(a, b, std::cos(Radians(a.latitude)), std::cos(Radians(b.latitude)));
}

void CellList::Add(const Cell& cell) {
  for (const Cell& other : *this) {
    if (other.first == cell.first && other.steps == cell.steps) return;
  }
  cells_[size_++] = cell;
}

Area::Area(Shape shape, const Point& centre, double half_width, double half_height)
    : shape_(shape),
      centre_(centre),
      half_width_(half_width),
      half_height_(half_height),
      cosine_of_latitude_(std::cos(Radians(centre.latitude))) {
  SetRectangle();
}

Area Area::Circle(const Point& centre, double radius_metres) {
  return {Shape::kCircle, centre, radius_metres, radius_metres};
}

Area Area::Box(const Point& centre, double width_metres, double height_metres) {
  return {Shape::kBox, centre, width_metres / 2, height_metres / 2};
}

std::optional<double> Area::Find(const Point& point) const {
  const double cosine = std::cos(Radians(point.latitude));
  if (shape_ == Shape::kBox) {
    if (LatitudeDistance(point.latitude, centre_.latitude) > half_height_) return std::nullopt;
    const Point beside{.longitude = centre_.longitude, .latitude = point.latitude};
    if (Haversine(point, beside, cosine, cosine) > half_width_) return std::nullopt;
  }
  const double distance = Haversine(centre_, point, cosine_of_latitude_, cosine);
  if (shape_ == Shape::kCircle && distance > half_width_) return std::nullopt;
  return distance;
}

double Area::LongitudesEachSide() const {
  const double angle = half_width_ / kEarthRadiusMetres;
  const double top = std::fabs(centre_.latitude) + Degrees(half_height_ / kEarthRadiusMetres);
  if (shape_ == Shape::kCircle) {
    // A circle around a pole has all longitudes; any other is widest where a meridian touches it.
    if (!(top < 90)) return 180;
    const double sine = std::sin(angle) / cosine_of_latitude_;
    return sine < 1 ? Degrees(std::asin(sine)) : 180;
  }
  // A box is widest at its edge next to a pole. Its width is measured along a great circle there, too.
  const double widest = std::cos(Radians(std::min(top, kLatitudeMax)));
  const double sine = std::sin(std::min(angle, std::numbers::pi) / 2) / widest;
  return sine < 1 ? 2 * Degrees(std::asin(sine)) : 180;
}

// One cell more on each side makes up for rounding.
void Area::SetRectangle() {
  const double rows = Degrees(half_height_ / kEarthRadiusMetres);
  const double last = static_cast<double>(kCells);
  const auto low = InCells(std::max(centre_.latitude - rows, -kLatitudeMax), kLatitudeMax);
  const auto high = InCells(std::min(centre_.latitude + rows, kLatitudeMax), kLatitudeMax);
  min_y_ = static_cast<uint64_t>(std::max(low - 1, 0.0));
  max_y_ = static_cast<uint64_t>(std::min(high + 1, last));

  const double columns = LongitudesEachSide();
  const auto west = static_cast<int64_t>(std::floor(InCells(centre_.longitude - columns, kLongitudeMax))) - 1;
  const auto east = static_cast<int64_t>(std::floor(InCells(centre_.longitude + columns, kLongitudeMax))) + 1;
  if (columns >= 180 || east - west >= static_cast<int64_t>(kColumnMask)) {
    columns_more_ = kColumnMask;
  } else {
    min_x_ = static_cast<uint64_t>(west) & kColumnMask;
    columns_more_ = static_cast<uint64_t>(east - west);
  }
}

bool Area::MayContain(uint64_t hash) const {
  const uint64_t y = RowOf(hash);
  return y >= min_y_ && y <= max_y_ && ((ColumnOf(hash) - min_x_) & kColumnMask) <= columns_more_;
}

bool Area::Touches(const Cell& cell) const {
  const uint64_t side = uint64_t{1} << (kBits - cell.steps);
  const uint64_t x = ColumnOf(cell.first);
  const uint64_t y = RowOf(cell.first);
  if (y > max_y_ || y + side <= min_y_) return false;
  return ((x - min_x_) & kColumnMask) <= columns_more_ || ((min_x_ - x) & kColumnMask) < side;
}

bool Area::Encloses(const Cell& cell) const {
  const uint64_t side = uint64_t{1} << (kBits - cell.steps);
  const uint64_t y = RowOf(cell.first);
  if (y < min_y_ || y + side - 1 > max_y_) return false;
  return ((ColumnOf(cell.first) - min_x_) & kColumnMask) + side - 1 <= columns_more_;
}

// Down the cells: each touches the rectangle, so that one of its quarters does, too.
std::optional<uint64_t> Area::NextIn(const Cell& cell, uint64_t from) const {
  if (from >= cell.first + cell.size() || !Touches(cell)) return std::nullopt;
  if (cell.steps == kBits || Encloses(cell)) return std::max(from, cell.first);
  for (unsigned i = 0; i < 4; ++i) {
    if (const auto next = NextIn(cell.Quarter(i), from)) return next;
  }
  return std::nullopt;
}

double Area::Reach() const {
  if (shape_ == Shape::kCircle) return half_width_;
  return std::sqrt(half_width_ * half_width_ + half_height_ * half_height_);
}

Area::Block Area::BlockAt(int steps) const {
  const int shift = kBits - steps;
  const uint64_t hash = Encode(centre_);
  return {.steps = steps,
          .shift = shift,
          .last = kColumnMask >> shift,
          .x = (ColumnOf(hash) & kColumnMask) >> shift,
          .y = std::min(RowOf(hash), kColumnMask) >> shift};
}

// The finest cells that are at least twice as wide as the area reaches, at the equator; cells of high
// latitudes are narrower, so there they are coarser. Where even nine of them are too small, they are coarser
// once more.
int Area::EstimatedSteps() const {
  const double reach = Reach();
  if (!(reach > 0)) return kBits;
  int steps = -1;
  for (double length = reach; length < kHalfEquatorMetres && steps < kBits + 2; length *= 2) ++steps;
  const double latitude = std::fabs(centre_.latitude);
  if (latitude > 66) steps -= latitude > 80 ? 2 : 1;
  steps = std::clamp(steps, 1, kBits);
  return steps > 1 && !IsHeldBy(BlockAt(steps)) ? steps - 1 : steps;
}

// Whether the area, drawn on a flat map, lies within the nine cells around its centre. At the edge of the map
// there are less than nine, and then it does not.
bool Area::IsHeldBy(const Block& block) const {
  if (block.x == 0 || block.x == block.last || block.y == 0 || block.y == block.last) return false;
  const auto edge = [&](uint64_t cells, double max) {
    return -max + static_cast<double>(cells << block.shift) / static_cast<double>(kCells) * (2 * max);
  };
  const double rows = Degrees(half_height_ / kEarthRadiusMetres);
  const double widest = std::cos(Radians(std::fabs(centre_.latitude) + rows));
  const double columns = Degrees(half_width_ / kEarthRadiusMetres / widest);
  return centre_.latitude + rows <= edge(block.y + 2, kLatitudeMax) &&
         centre_.latitude - rows >= edge(block.y - 1, kLatitudeMax) &&
         centre_.longitude + columns <= edge(block.x + 2, kLongitudeMax) &&
         centre_.longitude - columns >= edge(block.x - 1, kLongitudeMax);
}

// Whether the rectangle lies within the cells that are up to `rings` from the centre's.
bool Area::LiesWithin(const Block& block, uint64_t rings) const {
  if (block.last < 2 * rings) return true;
  if (columns_more_ == kColumnMask) return false;
  const uint64_t west = min_x_ >> block.shift;
  const uint64_t east = (min_x_ + columns_more_) >> block.shift;
  if (((block.x - west) & block.last) > rings || ((east - block.x) & block.last) > rings) return false;
  const uint64_t south = min_y_ >> block.shift;
  const uint64_t north = std::min(max_y_, kColumnMask) >> block.shift;
  return block.y <= south + rings && north <= block.y + rings;
}

void Area::AddCell(const Block& block, int east, int north, CellList& cells) const {
  const uint64_t row = block.y + static_cast<uint64_t>(north);
  if (row > block.last) return;  // beyond the map; -1 is too
  const uint64_t column = (block.x + static_cast<uint64_t>(east)) & block.last;
  const Cell cell{.first = Interleave(column << block.shift, row << block.shift), .steps = block.steps};
  if (Touches(cell)) cells.Add(cell);
}

CellList Area::Cover() const {
  constexpr int kRings = 2;
  struct Neighbour {
    int east, north;
  };
  constexpr Neighbour kAround[] = {{0, 0}, {0, 1},  {0, -1}, {1, 0},  {-1, 0},
                                   {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  Block block = BlockAt(EstimatedSteps());
  while (!LiesWithin(block, kRings)) block = BlockAt(block.steps - 1);
  CellList cells;
  for (const Neighbour& neighbour : kAround) AddCell(block, neighbour.east, neighbour.north, cells);
  if (!LiesWithin(block, 1)) {
    for (int north = -kRings; north <= kRings; ++north) {
      for (int east = -kRings; east <= kRings; ++east) AddCell(block, east, north, cells);
    }
  }
  const bool has_north = max_y_ == kCells;
  const bool has_east = ((0 - min_x_) & kColumnMask) <= columns_more_;
  if (has_north) cells.Add({.first = Interleave(0, kCells)});
  if (has_east) cells.Add({.first = Interleave(kCells, 0)});
  if (has_north && has_east) cells.Add({.first = Interleave(kCells, kCells)});
  return cells;
}

}  // namespace cinnabar::geohash
