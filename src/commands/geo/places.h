// What the geo commands share: places in sorted sets, and how places, lengths and units look to clients.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"
#include "structures/geohash.h"

namespace cinnabar::commands {

inline constexpr std::string_view kBadUnit = "ERR unsupported unit provided. please use M, KM, FT, MI";

// The next argument as the name of a unit: how many metres it is. Errors are kept in `args`.
double TakeUnit(dispatch::Args& args);
// The next two arguments as a place that has a geohash.
geohash::Point TakePoint(dispatch::Args& args);

// The place of a member, if it is there.
std::optional<geohash::Point> PlaceOf(const types::SortedSet& set, std::string_view member);

// The text of a length: four decimals. Returns its size. REQUIRES: length >= 0.
inline constexpr size_t kLengthTextBytes = 328;
size_t FormatLength(double length, char* out);
// The text of a coordinate: as many of 17 decimals as are needed. REQUIRES: within -180..180.
inline constexpr size_t kCoordinateTextBytes = 24;
size_t FormatCoordinate(double degrees, char* out);

void ReplyLength(protocol::ReplyWriter& reply, double length);
// An array of longitude and latitude.
void ReplyPoint(protocol::ReplyWriter& reply, const geohash::Point& point);

}  // namespace cinnabar::commands
