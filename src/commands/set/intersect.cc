// SINTER, SINTERSTORE, SINTERCARD: what all of several sets contain. The members of the smallest are looked
// up in the others, the next smallest first.
#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/set/source_sets.h"
#include "dispatch/args.h"

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

using dispatch::Args;

// Calls `visit(member)` for every common member until it returns false.
template <typename Visit>
void Intersect(Call& call, SourceSets& sources, Visit&& visit) {
  if (sources.any_missing || sources.sets.empty()) return;
  SortBySize(sources.sets, BySize::kSmallestFirst);
  const auto others = std::span<const Set>(sources.sets).subspan(1);
  sources.sets[0].ForEach([&](std::string_view member) {
    call.Yield();
    for (const Set& other : others) {
      if (!other.Contains(member)) return true;
    }
    return visit(member);
  });
}

void SInter(Call& call) {
  SourceSets sources;
  if (!sources.Open(call, 1, call.argc() - 1)) return;
  if (sources.any_missing) return call.reply().Set(0);
  if (sources.sets.size() == 1) return ReplyMembers(call, sources.sets[0]);
  ReplySet(call, [&](auto write) {
    Intersect(call, sources, [&](std::string_view member) {
      write(member);
      return true;
    });
  });
}

void SInterStore(Call& call) {
  const Key destination = call.key(1);
  SourceSets sources;
  if (!sources.Open(call, 2, call.argc() - 2)) return;
  ResultSet result(call);
  Intersect(call, sources, [&](std::string_view member) {
    result.Add(member);
    return true;
  });
  StoreResult(call, destination, result, "sinterstore");
}

// One error for everything that is not a number of at least `least`.
int64_t TakeNumber(Args& args, int64_t least, std::string_view error) {
  const auto number = ParseInt64(args.Next());
  if (number && *number >= least) return *number;
  args.Fail(error);
  return 0;
}

void SInterCard(Call& call) {
  Args args(call);
  const int64_t keys = TakeNumber(args, 1, "ERR numkeys should be greater than 0");
  if (!args.failed() && static_cast<size_t>(keys) > args.left()) {
    args.Fail("ERR Number of keys can't be greater than number of args");
  }
  if (args.failed()) return args.Reply(call);
  args.Skip(static_cast<size_t>(keys));
  int64_t limit = 0;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("LIMIT")) {
      limit = TakeNumber(args, 0, "ERR LIMIT can't be negative");
    } else {
      args.FailSyntax();
    }
  }
  if (args.failed()) return args.Reply(call);
  SourceSets sources;
  if (!sources.Open(call, 2, static_cast<size_t>(keys))) return;
  int64_t count = 0;
  Intersect(call, sources, [&](std::string_view) { return ++count != limit; });
  call.reply().Integer(count);
}

constexpr std::string_view kComplexity = "O(N*M) at worst, for M sets of which the smallest has N members.";

constexpr CommandSpec kTable[] = {
    {
        .name = "sinter",
        .synopsis = "key...",
        .summary = "Returns the members that all of several sets contain.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, -1)},
        .tips = "nondeterministic_output_order",
        .run = SInter,
    },
    {
        .name = "sinterstore",
        .synopsis = "destination key...",
        .summary =
            "Stores the members that all of several sets contain in a key and says how many there are.",
        .since = "1.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate),
                 dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 2, -1)},
        .run = SInterStore,
    },
    {
        .name = "sintercard",
        .synopsis = "numkeys:integer key... [LIMIT:integer limit]",
        .summary = "Returns how many members all of several sets contain, counting no further than a limit.",
        .since = "7.0.0",
        .group = "set",
        .complexity = kComplexity,
        .arity = -3,
        .flags = Flag::kReadOnly,
        .keys = {{.use = KeyUse::kRo | KeyUse::kAccess,
                  .first = 1,
                  .find = dispatch::KeySpec::Find::kKeyNumber,
                  .first_key = 1}},
        .run = SInterCard,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetIntersectCommands{kTable};

}  // namespace cinnabar::commands
