// ZPOPMIN, ZPOPMAX, ZMPOP.
#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/zset/popping.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Pop(Call& call, End end) {
  Args args(call, 2);
  size_t count = 1;
  const bool counted = args.more();
  if (args.left() > 1) args.FailSyntax();
  if (counted && !args.failed()) {
    const auto number = ParseInt64(args.Next());
    if (!number || *number < 0) args.Fail(errors::kMustBePositive);
    count = static_cast<size_t>(number.value_or(0));
  }
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToWrite(call, key, holder)) return;
  if (!holder.exists() || count == 0) return ReplyEmptyArray(call);
  PopMembers(call, key, holder, end, count, counted ? PopShape::kPairs : PopShape::kFlat);
}

void ZPopMin(Call& call) {
  Pop(call, End::kLowest);
}
void ZPopMax(Call& call) {
  Pop(call, End::kHighest);
}

void ZMPop(Call& call) {
  Args args(call);
  const MultiPop pop = MultiPop::Take(args);
  if (args.failed()) return args.Reply(call);
  for (size_t i = 0; i < pop.keys; ++i) {
    const Key key = call.key(pop.first_key + i);
    keyspace::EntryHolder holder;
    if (!OpenSortedSetToWrite(call, key, holder)) return;
    if (holder.exists()) return PopMembers(call, key, holder, pop.end, pop.count, PopShape::kKeyAndPairs);
  }
  call.reply().NullArray();
}

constexpr uint16_t kUse = KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete;

constexpr CommandSpec PopSpec(std::string_view name, std::string_view summary, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key [count:integer]",
          .summary = summary,
          .since = "5.0.0",
          .group = "sorted-set",
          .complexity = "O(log(N)*M) with N members in the sorted set and M of them popped.",
          .arity = -2,
          .flags = Flag::kWrite | Flag::kFast,
          .keys = {dispatch::OneKey(kUse)},
          .run = run};
}

constexpr CommandSpec kTable[] = {
    PopSpec("zpopmax", "Removes the members with the highest scores and returns them.", ZPopMax),
    PopSpec("zpopmin", "Removes the members with the lowest scores and returns them.", ZPopMin),
    {
        .name = "zmpop",
        .synopsis = "numkeys:integer key... where:(MIN|MAX) [COUNT:integer count]",
        .summary = "Removes the members with the lowest or highest scores from the first sorted set that has "
                   "any, and returns them.",
        .since = "7.0.0",
        .group = "sorted-set",
        .complexity = "O(K) + O(M*log(N)) for K keys, N members in the sorted set and M of them popped.",
        .arity = -4,
        .flags = Flag::kWrite | Flag::kMovableKeys,
        .keys = {{.use = kUse,
                  .first = 1,
                  .find = dispatch::KeySpec::Find::kKeyNumber,
                  .number_at = 0,
                  .first_key = 1}},
        .run = ZMPop,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetPopCommands{kTable};

}  // namespace cinnabar::commands
