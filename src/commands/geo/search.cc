#include "commands/geo/search.h"

#include <fmt/format.h>

#include "base/numbers.h"
#include "commands/geo/places.h"

namespace cinnabar::commands {

using dispatch::Args;
using dispatch::Call;

namespace {

// The next argument as a length in a unit yet unknown. `error` is for what is no number.
double TakeLength(Args& args, std::string_view error) {
  const auto length = ParseDouble(args.Next());
  if (!length) args.Fail(error);
  return length.value_or(0);
}

}  // namespace

Search::Search(Call& call, Style style, size_t source) : call_(call), style_(style) {
  ok_ = OpenSortedSetToRead(call, call.key(source), holder_);
}

void Search::TakeCentre(Args& args) {
  from_ = From::kPoint;
  centre_ = TakePoint(args);
}

void Search::TakeMember(Args& args) {
  from_ = From::kMember;
  const std::string_view member = args.Next();
  if (!exists()) return;
  const auto place = PlaceOf(types::SortedSet(holder_), member);
  if (!place) args.Fail("ERR could not decode requested zset member");
  centre_ = place.value_or(geohash::Point{});
}

void Search::TakeCircle(Args& args) {
  by_ = By::kRadius;
  width_ = TakeLength(args, "ERR need numeric radius");
  if (width_ < 0) args.Fail("ERR radius cannot be negative");
  unit_metres_ = TakeUnit(args);
  width_ *= unit_metres_;
}

void Search::TakeBox(Args& args) {
  by_ = By::kBox;
  width_ = TakeLength(args, "ERR need numeric width");
  height_ = TakeLength(args, "ERR need numeric height");
  if (width_ < 0 || height_ < 0) args.Fail("ERR height or width cannot be negative");
  unit_metres_ = TakeUnit(args);
  width_ *= unit_metres_;
  height_ *= unit_metres_;
}

void Search::TakeOptions(Args& args) {
  while (args.more() && !args.failed()) TakeOption(args);
  if (!args.failed()) CheckOptions(args);
}

void Search::TakeOption(Args& args) {
  if (args.Take("WITHDIST")) {
    with_distance_ = true;
  } else if (args.Take("WITHHASH")) {
    with_hash_ = true;
  } else if (args.Take("WITHCOORD")) {
    with_coordinates_ = true;
  } else if (args.Take("ANY")) {
    selection_.any = true;
  } else if (args.Take("ASC")) {
    selection_.order = Nearness::kNearestFirst;
  } else if (args.Take("DESC")) {
    selection_.order = Nearness::kFarthestFirst;
  } else if (args.TakeWith("COUNT")) {
    const int64_t count = args.Int();
    if (count <= 0) args.Fail("ERR COUNT must be > 0");
    selection_.count = static_cast<size_t>(count);
  } else if (!TakeArea(args) && !TakeDestination(args)) {
    args.FailSyntax();
  }
}

bool Search::TakeArea(Args& args) {
  if (!of_area()) return false;
  if (from_ != From::kPoint && args.TakeWith("FROMMEMBER")) {
    TakeMember(args);
  } else if (from_ != From::kMember && args.TakeWith("FROMLONLAT", 2)) {
    TakeCentre(args);
  } else if (by_ != By::kBox && args.TakeWith("BYRADIUS", 2)) {
    TakeCircle(args);
  } else if (by_ != By::kRadius && args.TakeWith("BYBOX", 3)) {
    TakeBox(args);
  } else {
    return false;
  }
  return true;
}

bool Search::TakeDestination(Args& args) {
  if (style_ == Style::kAreaStored && args.Take("STOREDIST")) {
    store_distances_ = true;
  } else if (style_ == Style::kRadius && args.TakeWith("STORE")) {
    destination_ = args.position();
    args.Skip(1);
    store_distances_ = false;
  } else if (style_ == Style::kRadius && args.TakeWith("STOREDIST")) {
    destination_ = args.position();
    args.Skip(1);
    store_distances_ = true;
  } else {
    return false;
  }
  return true;
}

void Search::CheckOptions(Args& args) const {
  const std::string_view name = call_.arg(0);  // as it was sent
  if ((destination_ != 0) && shows_more()) {
    args.Fail(fmt::format("ERR {} is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                          of_area() ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS"));
  }
  if (of_area() && from_ == From::kNothing) {
    args.Fail(fmt::format("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}", name));
  }
  if (of_area() && by_ == By::kNothing) {
    args.Fail(fmt::format("ERR exactly one of BYRADIUS and BYBOX can be specified for {}", name));
  }
  if (selection_.any && selection_.count == Selection::kAll) {
    args.Fail("ERR the ANY argument requires COUNT argument");
  }
}

geohash::Area Search::AreaOf() const {
  if (by_ == By::kBox) return geohash::Area::Box(centre_, width_, height_);
  return geohash::Area::Circle(centre_, width_);
}

void Search::Run(std::string_view event) {
  MatchList list;
  if (exists()) {
    // Some of many are the nearest of them, unless any will do.
    const bool limited = selection_.count != Selection::kAll && !selection_.any;
    if (limited && selection_.order == Nearness::kUnordered) selection_.order = Nearness::kNearestFirst;
    list.Find(holder_, AreaOf(), selection_);
  }
  if (destination_ != 0) return Store(list, event);
  Show(list);
}

void Search::Show(const MatchList& list) const {
  protocol::ReplyWriter& reply = call_.reply();
  reply.Array(list.size());
  const size_t parts = 1 + with_distance_ + with_hash_ + with_coordinates_;
  for (const Match& match : list.matches()) {
    if (parts > 1) reply.Array(parts);
    reply.Bulk(list.NameOf(match));
    if (with_distance_) ReplyLength(reply, match.distance / unit_metres_);
    if (with_hash_) reply.Integer(static_cast<int64_t>(geohash::HashOfScore(match.score)));
    if (with_coordinates_) ReplyPoint(reply, geohash::Decode(geohash::HashOfScore(match.score)));
  }
}

void Search::Store(const MatchList& list, std::string_view event) {
  types::SortedSetBuilder members;
  for (const Match& match : list.matches()) {
    members.Add(list.NameOf(match), store_distances_ ? match.distance / unit_metres_ : match.score);
  }
  const size_t count = StoreSortedSet(call_, call_.key(destination_), members, event);
  if (count > 0) call_.MarkDirty(count - 1);
  call_.reply().Integer(static_cast<int64_t>(count));
}

}  // namespace cinnabar::commands
