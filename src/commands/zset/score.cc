// Facts about single members: ZSCORE, ZMSCORE, ZRANK, ZREVRANK.
#include <fmt/format.h>

#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::Direction;
using types::SortedSet;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void ReplyScore(Call& call, const keyspace::EntryHolder& holder, const SortedSet& set,
                std::string_view member) {
  const auto score = holder.exists() ? set.Score(member) : std::nullopt;
  if (!score) return call.reply().Null();
  call.reply().Double(*score);
}

void ZScore(Call& call) {
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  ReplyScore(call, holder, SortedSet(holder), call.arg(2));
}

void ZMScore(Call& call) {
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  const SortedSet set(holder);
  call.reply().Array(call.argc() - 2);
  for (size_t i = 2; i < call.argc(); ++i) ReplyScore(call, holder, set, call.arg(i));
}

void Rank(Call& call, Direction direction) {
  if (call.argc() > 4) {
    return call.reply().Error(
        fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
  }
  Args args(call, 3);
  const bool with_score = args.Take("WITHSCORE");
  if (args.more()) args.FailSyntax();
  if (args.failed()) return args.Reply(call);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  const SortedSet set(holder);
  const auto place = holder.exists() ? set.Find(call.arg(2)) : std::nullopt;
  if (!place) return with_score ? call.reply().NullArray() : call.reply().Null();
  const size_t rank = direction == Direction::kUp ? place->rank : set.size() - 1 - place->rank;
  if (with_score) call.reply().Array(2);
  call.reply().Integer(static_cast<int64_t>(rank));
  if (with_score) call.reply().Double(place->score);
}

void ZRank(Call& call) {
  Rank(call, Direction::kUp);
}
void ZRevRank(Call& call) {
  Rank(call, Direction::kDown);
}

constexpr dispatch::KeySpec kKey = dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess);
constexpr uint64_t kFlags = Flag::kReadOnly | Flag::kFast;

constexpr CommandSpec kTable[] = {
    {
        .name = "zscore",
        .synopsis = "key member",
        .summary = "Returns the score of a member of a sorted set.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kKey},
        .run = ZScore,
    },
    {
        .name = "zmscore",
        .synopsis = "key member...",
        .summary = "Returns the scores of several members of a sorted set.",
        .since = "6.2.0",
        .group = "sorted-set",
        .complexity = "O(N) for N members that are asked for.",
        .arity = -3,
        .flags = kFlags,
        .keys = {kKey},
        .run = ZMScore,
    },
    {
        .name = "zrank",
        .synopsis = "key member [WITHSCORE]@7.2.0",
        .summary = "Returns the rank of a member of a sorted set, from the lowest score up.",
        .since = "2.0.0",
        .group = "sorted-set",
        .complexity = "O(log(N))",
        .arity = -3,
        .flags = kFlags,
        .keys = {kKey},
        .history = "7.2.0: Added the optional `WITHSCORE` argument.",
        .run = ZRank,
    },
    {
        .name = "zrevrank",
        .synopsis = "key member [WITHSCORE]@7.2.0",
        .summary = "Returns the rank of a member of a sorted set, from the highest score down.",
        .since = "2.0.0",
        .group = "sorted-set",
        .complexity = "O(log(N))",
        .arity = -3,
        .flags = kFlags,
        .keys = {kKey},
        .history = "7.2.0: Added the optional `WITHSCORE` argument.",
        .run = ZRevRank,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetScoreCommands{kTable};

}  // namespace cinnabar::commands
