// ZCARD, ZCOUNT, ZLEXCOUNT.
#include "commands/zset/range_arguments.h"
#include "commands/zset/sorted_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::SortedSet;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// `count(const SortedSet&)` is asked if there is one.
template <typename Count>
void ReplyCount(Call& call, Count&& count) {
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  call.reply().Integer(holder.exists() ? static_cast<int64_t>(count(SortedSet(holder))) : 0);
}

void ZCard(Call& call) {
  ReplyCount(call, [](const SortedSet& set) { return set.size(); });
}

void ZCount(Call& call) {
  Args args(call, 2);
  const types::ScoreRange range = ParseScoreRange(args, call.arg(2), call.arg(3));
  if (args.failed()) return args.Reply(call);
  ReplyCount(call, [&](const SortedSet& set) { return set.RanksOf(range).count; });
}

void ZLexCount(Call& call) {
  Args args(call, 2);
  const types::MemberRange range = ParseMemberRange(args, call.arg(2), call.arg(3));
  if (args.failed()) return args.Reply(call);
  ReplyCount(call, [&](const SortedSet& set) { return set.RanksOf(range).count; });
}

constexpr uint64_t kFlags = Flag::kReadOnly | Flag::kFast;

constexpr CommandSpec kTable[] = {
    {
        .name = "zcard",
        .synopsis = "key",
        .summary = "Returns the number of members of a sorted set.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = ZCard,
    },
    {
        .name = "zcount",
        .synopsis = "key min:double max:double",
        .summary = "Counts the members between two scores of a sorted set.",
        .since = "2.0.0",
        .group = "sorted-set",
        .complexity = "O(log(N)) with N members in the sorted set.",
        .arity = 4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = ZCount,
    },
    {
        .name = "zlexcount",
        .synopsis = "key min max",
        .summary = "Counts the members between two members of a sorted set whose scores are all equal.",
        .since = "2.8.9",
        .group = "sorted-set",
        .complexity = "O(log(N)) with N members in the sorted set.",
        .arity = 4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = ZLexCount,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetCountCommands{kTable};

}  // namespace cinnabar::commands
