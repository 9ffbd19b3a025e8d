// ZRANGE and its older forms.
#include "commands/zset/range_arguments.h"
#include "commands/zset/sorted_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::Direction;
using types::RankRange;
using types::SortedSet;
using By = RangeArguments::By;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void ReplyRange(Call& call, RangeArguments range) {
  Args args(call, 2);
  range.Take(args, RangeArguments::Purpose::kShow);
  if (args.failed()) return args.Reply(call);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  if (!holder.exists()) return ReplyEmptyArray(call);
  const SortedSet set(holder);
  const RankRange ranks = range.Select(set);
  MembersReply reply(call.reply(), ranks.count, range.with_scores ? Scores::kWith : Scores::kWithout);
  set.ForEachInRanks(ranks, *range.direction, [&](std::string_view member, double score) {
    reply.Add(member, score);
    call.Yield();
  });
}

void ZRange(Call& call) {
  ReplyRange(call, {});
}
void ZRevRange(Call& call) {
  ReplyRange(call, {.by = By::kRank, .direction = Direction::kDown});
}
void ZRangeByScore(Call& call) {
  ReplyRange(call, {.by = By::kScore, .direction = Direction::kUp});
}
void ZRevRangeByScore(Call& call) {
  ReplyRange(call, {.by = By::kScore, .direction = Direction::kDown});
}
void ZRangeByLex(Call& call) {
  ReplyRange(call, {.by = By::kMember, .direction = Direction::kUp});
}
void ZRevRangeByLex(Call& call) {
  ReplyRange(call, {.by = By::kMember, .direction = Direction::kDown});
}

void ZRangeStore(Call& call) {
  Args args(call, 3);
  RangeArguments range;
  range.Take(args, RangeArguments::Purpose::kStore);
  if (args.failed()) return args.Reply(call);
  const keyspace::Key destination = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(2), holder)) return;
  types::SortedSetBuilder members;
  if (holder.exists()) {
    const SortedSet set(holder);
    set.ForEachInRanks(range.Select(set), Direction::kUp, [&](std::string_view member, double score) {
      members.Add(member, score);
      call.Yield();
    });
  }
  call.reply().Integer(static_cast<int64_t>(StoreSortedSet(call, destination, members, "zrangestore")));
}

constexpr dispatch::KeySpec kKey = dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess);
constexpr std::string_view kComplexity =
    "O(log(N)+M) with N members in the sorted set and M of them returned.";

// The forms that ZRANGE has replaced.
constexpr CommandSpec OldForm(std::string_view name, std::string_view synopsis, std::string_view summary,
                              std::string_view since, std::string_view replaced_by, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = since,
          .group = "sorted-set",
          .complexity = kComplexity,
          .arity = -4,
          .flags = Flag::kReadOnly,
          .keys = {kKey},
          .replaced_by = replaced_by,
          .deprecated_since = "6.2.0",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    {
        .name = "zrange",
        .synopsis = "key start stop sortby:[BYSCORE|BYLEX]@6.2.0 [REV]@6.2.0 "
                    "[LIMIT offset:integer count:integer]@6.2.0 [WITHSCORES]",
        .summary = "Returns the members between two ranks, scores or members of a sorted set.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = kComplexity,
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {kKey},
        .history = "6.2.0: Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.",
        .run = ZRange,
    },
    {
        .name = "zrangestore",
        .synopsis = "dst src min max sortby:[BYSCORE|BYLEX] [REV] [LIMIT offset:integer count:integer]",
        .summary = "Stores the members between two ranks, scores or members of a sorted set in another key.",
        .since = "6.2.0",
        .group = "sorted-set",
        .complexity = "O(log(N)+M) with N members in the sorted set and M of them stored.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 1),
                 dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess, 2)},
        .run = ZRangeStore,
    },
    OldForm("zrevrange", "key start:integer stop:integer [WITHSCORES]",
            "Returns the members between two ranks of a sorted set, from the highest score down.", "1.2.0",
            "`ZRANGE` with the `REV` argument", ZRevRange),
    {
        .name = "zrangebyscore",
        .synopsis = "key min:double max:double [WITHSCORES]@2.0.0 [LIMIT offset:integer count:integer]",
        .summary = "Returns the members between two scores of a sorted set.",
        .since = "1.0.5",
        .group = "sorted-set",
        .complexity = kComplexity,
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {kKey},
        .history = "2.0.0: Added the `WITHSCORES` modifier.",
        .replaced_by = "`ZRANGE` with the `BYSCORE` argument",
        .deprecated_since = "6.2.0",
        .run = ZRangeByScore,
    },
    {
        .name = "zrevrangebyscore",
        .synopsis = "key max:double min:double [WITHSCORES] [LIMIT offset:integer count:integer]",
        .summary = "Returns the members between two scores of a sorted set, from the highest score down.",
        .since = "2.2.0",
        .group = "sorted-set",
        .complexity = kComplexity,
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {kKey},
        .history = "2.1.6: `min` and `max` can be exclusive.",
        .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments",
        .deprecated_since = "6.2.0",
        .run = ZRevRangeByScore,
    },
    OldForm("zrangebylex", "key min max [LIMIT offset:integer count:integer]",
            "Returns the members between two members of a sorted set whose scores are all equal.", "2.8.9",
            "`ZRANGE` with the `BYLEX` argument", ZRangeByLex),
    OldForm(
        "zrevrangebylex", "key max min [LIMIT offset:integer count:integer]",
        "Returns the members between two members of a sorted set whose scores are all equal, from the last "
        "one down.",
        "2.8.9", "`ZRANGE` with the `REV` and `BYLEX` arguments", ZRevRangeByLex),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetRangeCommands{kTable};

}  // namespace cinnabar::commands
