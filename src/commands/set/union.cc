// SUNION and SUNIONSTORE: what any of several sets contains.
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

// Up to this many sets a member is looked up in those before its own: quicker than to collect all, and no
// memory is taken. With more sets that would cost too many look-ups.
constexpr size_t kFewSets = 3;

template <typename Visit>
void UniteFew(Call& call, const std::vector<Set>& sets, Visit&& visit) {
  for (size_t i = 0; i < sets.size(); ++i) {
    const std::span<const Set> before(sets.data(), i);
    sets[i].ForEach([&](std::string_view member) {
      call.Yield();
      if (!AnyContains(before, member)) visit(member);
    });
  }
}

void Collect(std::vector<Set>& sets, ResultSet& result) {
  SortBySize(sets, BySize::kLargestFirst);
  for (const Set& set : sets) {
    set.ForEach([&](std::string_view member) { result.Add(member); });
  }
}

void SUnion(Call& call) {
  SourceSets sources;
  if (!sources.Open(call, 1, call.argc() - 1)) return;
  if (sources.sets.empty()) return call.reply().Set(0);
  if (sources.sets.size() == 1) return ReplyMembers(call, sources.sets[0]);
  if (sources.sets.size() <= kFewSets) {
    SortBySize(sources.sets, BySize::kLargestFirst);
    return ReplySet(call, [&](auto write) { UniteFew(call, sources.sets, write); });
  }
  ResultSet result(call);
  Collect(sources.sets, result);
  ReplyMembers(call, result.set);
}

void SUnionStore(Call& call) {
  const Key destination = call.key(1);
  SourceSets sources;
  if (!sources.Open(call, 2, call.argc() - 2)) return;
  ResultSet result(call);
  Collect(sources.sets, result);
  StoreResult(call, destination, result, "sunionstore");
}

constexpr std::string_view kComplexity = "O(N) for N members in all sets together.";

constexpr CommandSpec kTable[] = {
    {
        .name = "sunion",
        .synopsis = "key...",
        .summary = "Returns the members that any of several sets contains.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, -1)},
        .tips = "nondeterministic_output_order",
        .run = SUnion,
    },
    {
        .name = "sunionstore",
        .synopsis = "destination key...",
        .summary =
            "Stores the members that any of several sets contains in a key and says how many there are.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate),
                 dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 2, -1)},
        .run = SUnionStore,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetUnionCommands{kTable};

}  // namespace cinnabar::commands
