// GEOADD: ZADD with places for scores.
#include <vector>

#include "commands/geo/places.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::AddRule;
using types::SortedSet;
using Outcome = SortedSet::Outcome;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr size_t kPerPlace = 3;  // longitude, latitude, member

struct AddOptions {
  AddRule rule;
  bool count_changed = false;  // CH
};

AddOptions TakeOptions(Args& args) {
  using Presence = AddRule::Presence;
  AddOptions options;
  bool only_new = false, only_present = false;
  while (true) {
    if (args.Take("NX")) {
      only_new = true;
    } else if (args.Take("XX")) {
      only_present = true;
    } else if (args.Take("CH")) {
      options.count_changed = true;
    } else {
      break;
    }
  }
  if (args.left() == 0 || args.left() % kPerPlace != 0 || (only_new && only_present)) args.FailSyntax();
  if (only_new) options.rule.presence = Presence::kOnlyNew;
  if (only_present) options.rule.presence = Presence::kOnlyPresent;
  return options;
}

// The scores of all places: they are read before anything is changed.
class PlaceScores {
 public:
  explicit PlaceScores(Args& args) {
    const size_t count = args.left() / kPerPlace;
    if (count > kNear) {
      far_.resize(count);
      scores_ = far_.data();
    }
    for (size_t i = 0; i < count; ++i) {
      const geohash::Point point = TakePoint(args);
      if (args.failed()) return;
      scores_[i] = geohash::ScoreOf(geohash::Encode(point));
      args.Skip(1);
    }
  }
  PlaceScores(const PlaceScores&) = delete;
  double operator[](size_t index) const { return scores_[index]; }

 private:
  static constexpr size_t kNear = 16;
  double near_[kNear];
  std::vector<double> far_;
  double* scores_ = near_;
};

void Add(Call& call, std::span<const std::string_view> places, const PlaceScores& scores,
         const AddOptions& options) {
  const keyspace::Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToWrite(call, key, holder)) return;
  if (!holder.exists()) {
    if (options.rule.presence == AddRule::Presence::kOnlyPresent) return call.reply().Integer(0);
    MakeCollection(call, key, types::Type::kSortedSet, SortedSet::kEmptyPacked, holder);
  }
  SortedSet set(holder);
  const types::PackLimits limits = SortedSetLimits(call);
  uint64_t added = 0, changed = 0;
  for (size_t i = 0; i * kPerPlace < places.size(); ++i) {
    const std::string_view member = places[i * kPerPlace + 2];
    const Outcome outcome = set.Add(member, scores[i], options.rule, limits).outcome;
    added += outcome == Outcome::kAdded;
    changed += outcome == Outcome::kChanged;
  }
  if (added + changed > 0) {
    call.Changed(config::kNotifySortedSet, "zadd", key);
    call.MarkDirty(added + changed - 1);
  }
  call.reply().Integer(static_cast<int64_t>(options.count_changed ? added + changed : added));
}

void GeoAdd(Call& call) {
  Args args(call, 2);
  const AddOptions options = TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  const auto places = call.argv().subspan(args.position());
  const PlaceScores scores(args);
  if (args.failed()) return args.Reply(call);
  Add(call, places, scores, options);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "geoadd",
        .synopsis = "key condition:[NX|XX]@6.2.0 [CH:pure-token change]@6.2.0 "
                    "(longitude:double latitude:double member)...",
        .summary = "Adds members with places to a sorted set, or moves present members.",
        .since = "3.2.0",
        .group = "geo",
        .complexity = "O(log(N)) for each member, with N members in the sorted set.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .history = "6.2.0: Added the `CH`, `NX` and `XX` options.",
        .run = GeoAdd,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGeoAddCommands{kTable};

}  // namespace cinnabar::commands
