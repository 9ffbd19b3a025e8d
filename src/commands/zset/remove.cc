// ZREM and the removal of ranges: ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.
#include "commands/zset/range_arguments.h"
#include "commands/zset/sorted_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::RankRange;
using types::SortedSet;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void ZRem(Call& call) {
  const Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToWrite(call, key, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  SortedSet set(holder);
  uint64_t removed = 0;
  for (size_t i = 2; i < call.argc() && set.size() > 0; ++i) removed += set.Erase(call.arg(i));
  if (removed > 0) {
    call.Changed(config::kNotifySortedSet, "zrem", key);
    call.MarkDirty(removed - 1);
    if (set.size() == 0) DropCollection(call, key, holder);
  }
  call.reply().Integer(static_cast<int64_t>(removed));
}

// `ranks_of(const SortedSet&)` says which ranks go.
template <typename RanksOf>
void RemoveRange(Call& call, const Args& args, std::string_view event, RanksOf&& ranks_of) {
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToWrite(call, key, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  const RankRange range = ranks_of(SortedSet(holder));
  if (range.count > 0) EraseMembers(call, key, holder, range, event);
  call.reply().Integer(static_cast<int64_t>(range.count));
}

void ZRemRangeByRank(Call& call) {
  Args args(call, 2);
  const RankBounds bounds = TakeRankBounds(args);
  RemoveRange(call, args, "zremrangebyrank",
              [&](const SortedSet& set) { return bounds.Within(set.size(), types::Direction::kUp); });
}

void ZRemRangeByScore(Call& call) {
  Args args(call, 2);
  const types::ScoreRange range = ParseScoreRange(args, call.arg(2), call.arg(3));
  RemoveRange(call, args, "zremrangebyscore", [&](const SortedSet& set) { return set.RanksOf(range); });
}

void ZRemRangeByLex(Call& call) {
  Args args(call, 2);
  const types::MemberRange range = ParseMemberRange(args, call.arg(2), call.arg(3));
  RemoveRange(call, args, "zremrangebylex", [&](const SortedSet& set) { return set.RanksOf(range); });
}

constexpr dispatch::KeySpec kKey = dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete);

constexpr CommandSpec RemoveRangeSpec(std::string_view name, std::string_view synopsis,
                                      std::string_view summary, std::string_view since,
                                      dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = since,
          .group = "sorted-set",
          .complexity = "O(log(N)+M) with N members in the sorted set and M of them removed.",
          .arity = 4,
          .flags = Flag::kWrite,
          .keys = {kKey},
          .run = run};
}

constexpr CommandSpec kTable[] = {
    {
        .name = "zrem",
        .synopsis = "key member...",
        .summary = "Removes members from a sorted set.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = "O(M*log(N)) for M members that are removed out of N.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {kKey},
        .history = "2.4.0: Accepts multiple elements.",
        .run = ZRem,
    },
    RemoveRangeSpec("zremrangebylex", "key min max",
                    "Removes the members between two members of a sorted set whose scores are all equal.",
                    "2.8.9", ZRemRangeByLex),
    RemoveRangeSpec("zremrangebyrank", "key start:integer stop:integer",
                    "Removes the members between two ranks of a sorted set.", "2.0.0", ZRemRangeByRank),
    RemoveRangeSpec("zremrangebyscore", "key min:double max:double",
                    "Removes the members between two scores of a sorted set.", "1.2.0", ZRemRangeByScore),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetRemoveCommands{kTable};

}  // namespace cinnabar::commands
