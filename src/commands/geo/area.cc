// GEOSEARCH and GEOSEARCHSTORE.
#include "commands/geo/search.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void GeoSearch(Call& call) {
  Search search(call, Search::Style::kArea, 1);
  if (!search.ok()) return;
  Args args(call, 2);
  search.TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  search.Run("");
}

void GeoSearchStore(Call& call) {
  Search search(call, Search::Style::kAreaStored, 2);
  if (!search.ok()) return;
  search.StoreAt(1);
  Args args(call, 3);
  search.TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  search.Run("geosearchstore");
}

constexpr std::string_view kComplexity =
    "O(N+log(M)) with N members in the cells of the grid that the area touches, and M members in the sorted "
    "set.";
constexpr std::string_view kHistory = "7.0.0: Added support for uppercase unit names.";

constexpr CommandSpec kTable[] = {
    {
        .name = "geosearch",
        .synopsis = "key from:(FROMMEMBER:string member|FROMLONLAT longitude:double latitude:double) "
                    "by:(circle:(BYRADIUS:double radius unit:(M|KM|FT|MI))|"
                    "box:(BYBOX:double width height:double unit:(M|KM|FT|MI))) "
                    "order:[ASC|DESC] count:[COUNT:integer count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        .summary = "Finds the members within a circle or a box around a place.",
        .since = "6.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -7,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = kHistory,
        .run = GeoSearch,
    },
    {
        .name = "geosearchstore",
        .synopsis = "destination source "
                    "from:(FROMMEMBER:string member|FROMLONLAT longitude:double latitude:double) "
                    "by:(circle:(BYRADIUS:double radius unit:(M|KM|FT|MI))|"
                    "box:(BYBOX:double width height:double unit:(M|KM|FT|MI))) "
                    "order:[ASC|DESC] count:[COUNT:integer count [ANY]] [STOREDIST]",
        .summary = "Stores the members within a circle or a box around a place in another sorted set.",
        .since = "6.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -8,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 1),
                 dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess, 2)},
        .history = kHistory,
        .run = GeoSearchStore,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGeoAreaCommands{kTable};

}  // namespace cinnabar::commands
