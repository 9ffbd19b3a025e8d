// One search of the GEOSEARCH and GEORADIUS families, from its arguments to its reply.
#pragma once

#include <cstdint>
#include <optional>

#include "commands/geo/matches.h"
#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"
#include "structures/geohash.h"

namespace cinnabar::commands {

class Search {
 public:
  enum class Style : uint8_t {
    kRadius,          // GEORADIUS*: centre and radius come first, STORE and STOREDIST name a key
    kRadiusReadOnly,  // GEORADIUS*_RO
    kArea,            // GEOSEARCH
    kAreaStored,      // GEOSEARCHSTORE: the key comes first, STOREDIST is a flag
  };

  // Opens the sorted set at argument `source`. Check ok().
  Search(dispatch::Call& call, Style style, size_t source);

  // False when the key holds another type, which has been answered.
  bool ok() const { return ok_; }

  // The parts of the arguments; errors are kept in `args`. A member of a missing key is not looked up.
  void TakeCentre(dispatch::Args& args);
  void TakeMember(dispatch::Args& args);
  void TakeCircle(dispatch::Args& args);
  bool exists() const { return holder_.exists(); }
  // All others. Then `args` is at its end, or has failed.
  void TakeOptions(dispatch::Args& args);
  void StoreAt(size_t destination) { destination_ = destination; }

  // REQUIRES: ok(), and no argument has failed. `event` is for the destination.
  void Run(std::string_view event);

 private:
  void TakeBox(dispatch::Args& args);
  void TakeOption(dispatch::Args& args);
  bool TakeArea(dispatch::Args& args);
  bool TakeDestination(dispatch::Args& args);
  void CheckOptions(dispatch::Args& args) const;
  bool of_area() const { return style_ == Style::kArea || style_ == Style::kAreaStored; }
  bool shows_more() const { return with_distance_ || with_hash_ || with_coordinates_; }
  geohash::Area AreaOf() const;
  void Show(const MatchList& list) const;
  void Store(const MatchList& list, std::string_view event);

  dispatch::Call& call_;
  Style style_;
  keyspace::EntryHolder holder_;
  bool ok_;

  enum class From : uint8_t { kNothing, kMember, kPoint } from_ = From::kNothing;
  enum class By : uint8_t { kNothing, kRadius, kBox } by_ = By::kNothing;
  geohash::Point centre_;
  double width_ = 0;  // metres; or radius
  double height_ = 0;
  double unit_metres_ = 1;
  Selection selection_;
  bool with_distance_ = false;
  bool with_hash_ = false;
  bool with_coordinates_ = false;
  size_t destination_ = 0;  // argument; 0: none
  bool store_distances_ = false;
};

}  // namespace cinnabar::commands
