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

constexpr size_t kOptionsOfPoint = 6;
constexpr size_t kOptionsOfMember = 5;

// The destination that counts, the last one, when the key specifications do not find it: they find the
// argument behind the first such word of each kind, whatever the word stands for. 0: they do.
size_t HiddenDestination(std::span<const std::string_view> argv, size_t options) {
  size_t last = 0;
  size_t first_store = 0;
  size_t first_distances = 0;
  for (size_t i = options; i + 1 < argv.size(); ++i) {
    if (first_store == 0 && dispatch::SameWord(argv[i], "STORE")) first_store = i + 1;
    if (first_distances == 0 && dispatch::SameWord(argv[i], "STOREDIST")) first_distances = i + 1;
  }
  for (size_t i = options; i + 1 < argv.size(); ++i) {
    const bool stores = dispatch::SameWord(argv[i], "STORE") || dispatch::SameWord(argv[i], "STOREDIST");
    if (stores) last = i + 1;
    if (stores || dispatch::SameWord(argv[i], "COUNT")) ++i;
  }
  return last == first_store || last == first_distances ? 0 : last;
}
size_t HiddenDestinationOfPoint(std::span<const std::string_view> argv) {
  return HiddenDestination(argv, kOptionsOfPoint);
}
size_t HiddenDestinationOfMember(std::span<const std::string_view> argv) {
  return HiddenDestination(argv, kOptionsOfMember);
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
                    "store:[STORE:key key|STOREDIST:key key]",
        .summary = "Finds the members within a circle around a place, and may store them.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -6,
        .flags = kStoring,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess), Destination("STORE", kOptionsOfPoint),
                 Destination("STOREDIST", kOptionsOfPoint)},
        .history =
            "6.2.0: Added the `ANY` option for `COUNT`.|7.0.0: Added support for uppercase unit names.",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        .deprecated_since = "6.2.0",
        .hidden_key = HiddenDestinationOfPoint,
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
        .synopsis =
            "key member radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
            "count:[COUNT:integer count [ANY]] order:[ASC|DESC] store:[STORE:key key|STOREDIST:key key]",
        .summary = "Finds the members within a circle around a member, and may store them.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = kComplexity,
        .arity = -5,
        .flags = kStoring,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess), Destination("STORE", kOptionsOfMember),
                 Destination("STOREDIST", kOptionsOfMember)},
        .history = "7.0.0: Added support for uppercase unit names.",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        .deprecated_since = "6.2.0",
        .hidden_key = HiddenDestinationOfMember,
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
