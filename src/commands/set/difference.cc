// SDIFF and SDIFFSTORE: what the first of several sets contains and no other does.
//
// Two ways: look up each member of the first set in the others, or copy the first set and remove the members
// of all others from the copy. The first costs size(first) look-ups for each other set at worst, mostly half
// of that; the second one step for each member of each set.
#include "commands/set/source_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Set;
using types::Type;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

bool LookUpIsCheaper(const std::vector<Set>& sets) {
  uint64_t members = 0;
  for (const Set& set : sets) members += set.size();
  return sets[0].size() * sets.size() / 2 <= members;
}

// Calls `visit(member)` for every member of the difference. REQUIRES: the first set exists.
template <typename Visit>
void Subtract(Call& call, SourceSets& sources, Visit&& visit) {
  std::vector<Set>& sets = sources.sets;
  const auto others = std::span<Set>(sets).subspan(1);
  if (LookUpIsCheaper(sets)) {
    SortBySize(others, BySize::kLargestFirst);
    return sets[0].ForEach([&](std::string_view member) {
      call.Yield();
      if (!AnyContains(others, member)) visit(member);
    });
  }
  ResultSet left(call);
  sets[0].ForEach([&](std::string_view member) { left.Add(member); });
  for (const Set& other : others) {
    other.ForEach([&](std::string_view member) {
      left.set.Remove(member);
      call.Yield();
      return left.set.size() != 0;
    });
    if (left.set.size() == 0) return;
  }
  left.set.ForEach(visit);
}

void SDiff(Call& call) {
  SourceSets sources;
  if (!sources.Open(call, 1, call.argc() - 1)) return;
  if (sources.first_missing) return call.reply().Set(0);
  if (sources.sets.size() == 1) return ReplyMembers(call, sources.sets[0]);
  ReplySet(call, [&](auto write) { Subtract(call, sources, write); });
}

void SDiffStore(Call& call) {
  const Key destination = call.key(1);
  SourceSets sources;
  if (!sources.Open(call, 2, call.argc() - 2)) return;
  ResultSet result(call);
  if (!sources.first_missing) {
    Subtract(call, sources, [&](std::string_view member) { result.Add(member); });
  }
  StoreResult(call, destination, result, "sdiffstore");
}

constexpr std::string_view kComplexity = "O(N) for N members in all sets together.";

constexpr CommandSpec kTable[] = {
    {
        .name = "sdiff",
        .synopsis = "key...",
        .summary = "Returns the members of the first set that no other of several sets contains.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, -1)},
        .tips = "nondeterministic_output_order",
        .run = SDiff,
    },
    {
        .name = "sdiffstore",
        .synopsis = "destination key...",
        .summary = "Stores the members of the first set that no other contains in a key and counts them.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate),
                 dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 2, -1)},
        .run = SDiffStore,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetDifferenceCommands{kTable};

}  // namespace cinnabar::commands
