// GEOPOS, GEOHASH and GEODIST: what is known of members by name.
#include "catalog/errors.h"
#include "commands/geo/places.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using geohash::Point;
using types::SortedSet;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// An array with what `show` writes for each named member.
template <typename Show>
void ShowMembers(Call& call, Show&& show) {
  constexpr size_t kFirstMember = 2;
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  const SortedSet set(holder);
  call.reply().Array(call.argc() - kFirstMember);
  for (const std::string_view member : call.argv().subspan(kFirstMember)) {
    show(holder.exists() ? PlaceOf(set, member) : std::nullopt);
  }
}

void GeoPos(Call& call) {
  ShowMembers(call, [&](const std::optional<Point>& place) {
    if (!place) return call.reply().NullArray();
    ReplyPoint(call.reply(), *place);
  });
}

void GeoHash(Call& call) {
  ShowMembers(call, [&](const std::optional<Point>& place) {
    if (!place) return call.reply().Null();
    const geohash::StandardText text = geohash::ToStandardText(*place);
    call.reply().Bulk({text.data(), text.size()});
  });
}

void GeoDist(Call& call) {
  Args args(call, 4);
  if (args.left() > 1) args.FailSyntax();
  const double unit_metres = args.more() ? TakeUnit(args) : 1;
  if (args.failed()) return args.Reply(call);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  if (!holder.exists()) return call.reply().Null();
  const SortedSet set(holder);
  const auto from = PlaceOf(set, call.arg(2));
  const auto to = PlaceOf(set, call.arg(3));
  if (!from || !to) return call.reply().Null();
  ReplyLength(call.reply(), geohash::Distance(*from, *to) / unit_metres);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "geopos",
        .synopsis = "key member...",
        .summary = "Returns the longitudes and latitudes of members.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = "O(N) for N named members.",
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = GeoPos,
    },
    {
        .name = "geohash",
        .synopsis = "key member...",
        .summary = "Returns the places of members as standard geohash texts.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = "O(log(N)) for each named member, with N members in the sorted set.",
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = GeoHash,
    },
    {
        .name = "geodist",
        .synopsis = "key member1 member2 unit:[M|KM|FT|MI]",
        .summary = "Returns the distance between two members.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = "O(log(N)) with N members in the sorted set.",
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = GeoDist,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGeoMembersCommands{kTable};

}  // namespace cinnabar::commands
