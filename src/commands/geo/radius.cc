// GEORADIUS, GEORADIUSBYMEMBER and their variants that only read. GEOSEARCH has replaced them.
#include "commands/geo/search.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void AroundPoint(Call& call, Search::Style style) {
  Search search(call, style, 1);
  if (!search.ok()) return;
  Args args(call, 2);
  search.TakeCentre(args);
  search.TakeCircle(args);
  search.TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  search.Run("georadiusstore");
}

// A missing key has no members: neither the member nor the circle is looked at then.
void AroundMember(Call& call, Search::Style style) {
  constexpr size_t kMemberAndCircle = 3;
  Search search(call, style, 1);
  if (!search.ok()) return;
  Args args(call, 2);
  if (search.exists()) {
    search.TakeMember(args);
    search.TakeCircle(args);
  } else {
    args.Skip(kMemberAndCircle);
  }
  search.TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  search.Run("georadiusstore");
}

void GeoRadius(Call& call) {
  AroundPoint(call, Search::Style::kRadius);
}
void GeoRadiusRo(Call& call) {
  AroundPoint(call, Search::Style::kRadiusReadOnly);
}
void GeoRadiusByMember(Call& call) {
  AroundMember(call, Search::Style::kRadius);
}
void GeoRadiusByMemberRo(Call& call) {
  AroundMember(call, Search::Style::kRadiusReadOnly);
}

// The word is searched for among the options.
constexpr dispatch::KeySpec Destination(std::string_view word, int8_t options) {
  return {.use = KeyUse::kOw | KeyUse::kUpdate, .first = options, .keyword = word};
}

constexpr std::string_view kComplexity =
    "O(N+log(M)) with N members in the rectangle around the circle, and M members in the sorted set.";
constexpr uint64_t kStoring = Flag::kWrite | Flag::kDenyOom | Flag::kMovableKeys;

constexpr CommandSpec kTable[] = {
    {
        .name = "georadius",
        .synopsis = "key longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] "
                    "[WITHDIST] [WITHHASH] count:[COUNT:integer count [ANY]@6.2.0] order:[ASC|DESC] "
                    "[STORE:key key] [STOREDIST:key key]",
        .summary = "Finds the members within a circle around a place, and may store them.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -6,
        .flags = kStoring,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess), Destination("STORE", 6),
                 Destination("STOREDIST", 6)},
        .history =
            "6.2.0: Added the `ANY` option for `COUNT`.|7.0.0: Added support for uppercase unit names.",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        .deprecated_since = "6.2.0",
        .run = GeoRadius,
    },
    {
        .name = "georadius_ro",
        .synopsis = "key longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] "
                    "[WITHDIST] [WITHHASH] count:[COUNT:integer count [ANY]@6.2.0] order:[ASC|DESC]",
        .summary = "Finds the members within a circle around a place.",
        .since = "3.2.10",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -6,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = "6.2.0: Added the `ANY` option for `COUNT`.",
        .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument",
        .deprecated_since = "6.2.0",
        .run = GeoRadiusRo,
    },
    {
        .name = "georadiusbymember",
        .synopsis = "key member radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
                    "count:[COUNT:integer count [ANY]] order:[ASC|DESC] [STORE:key key] [STOREDIST:key key]",
        .summary = "Finds the members within a circle around a member, and may store them.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -5,
        .flags = kStoring,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess), Destination("STORE", 5),
                 Destination("STOREDIST", 5)},
        .history = "7.0.0: Added support for uppercase unit names.",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        .deprecated_since = "6.2.0",
        .run = GeoRadiusByMember,
    },
    {
        .name = "georadiusbymember_ro",
        .synopsis = "key member radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
                    "count:[COUNT:integer count [ANY]] order:[ASC|DESC]",
        .summary = "Finds the members within a circle around a member.",
        .since = "3.2.10",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -5,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        .deprecated_since = "6.2.0",
        .run = GeoRadiusByMemberRo,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGeoRadiusCommands{kTable};

}  // namespace cinnabar::commands
