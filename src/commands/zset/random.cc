// ZRANDMEMBER.
#include <limits>
#include <unordered_set>

#include "catalog/errors.h"
#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"
#include "dispatch/output_limits.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::Direction;
using types::SortedSet;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// Different members are drawn by rank until they are a third of all; from there on all are walked through.
constexpr size_t kWalkShare = 3;

void ReplyDrawn(Call& call, const SortedSet& set, uint64_t count, Scores scores) {
  MembersReply reply(call.reply(), count, scores);
  for (; count > 0; --count) {
    call.Yield();
    if (!dispatch::TakesReply(call)) return;
    const size_t rank = call.core().random.Uniform(set.size());
    set.ForEachInRanks({rank, 1}, Direction::kUp,
                       [&](std::string_view member, double score) { reply.Add(member, score); });
  }
}

// Takes each member with the chance that makes the number come true (selection sampling).
void ReplyWalking(Call& call, const SortedSet& set, size_t count, Scores scores) {
  MembersReply reply(call.reply(), count, scores);
  size_t left = set.size();
  set.ForEach([&](std::string_view member, double score) {
    if (count > 0 && call.core().random.Uniform(left) < count) {
      reply.Add(member, score);
      --count;
    }
    --left;
    call.Yield();
  });
}

void ReplyDistinct(Call& call, const SortedSet& set, size_t count, Scores scores) {
  if (count * kWalkShare > set.size()) return ReplyWalking(call, set, count, scores);
  MembersReply reply(call.reply(), count, scores);
  std::unordered_set<size_t> drawn;
  while (drawn.size() < count) {
    const size_t rank = call.core().random.Uniform(set.size());
    if (!drawn.insert(rank).second) continue;
    set.ForEachInRanks({rank, 1}, Direction::kUp,
                       [&](std::string_view member, double score) { reply.Add(member, score); });
  }
}

// The count as Redis limits it.
int64_t TakeCount(Args& args) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const int64_t count =
      args.Int(-kMost, kMost,
               "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
  if (args.left() > 1) args.FailSyntax();
  if (!args.more() || args.failed()) return count;
  if (!args.Take("WITHSCORES")) args.FailSyntax();
  if (count < -kMost / 2 || count > kMost / 2) args.Fail(errors::kOutOfRange);
  return count;
}

void ZRandMember(Call& call) {
  Args args(call, 2);
  const bool counted = args.more();
  const int64_t count = counted ? TakeCount(args) : 1;
  if (args.failed()) return args.Reply(call);
  const Scores scores = call.argc() > 3 ? Scores::kWith : Scores::kWithout;
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  if (!holder.exists()) return counted ? ReplyEmptyArray(call) : call.reply().Null();
  const SortedSet set(holder);
  if (!counted) {
    const size_t rank = call.core().random.Uniform(set.size());
    return set.ForEachInRanks({rank, 1}, Direction::kUp,
                              [&](std::string_view member, double) { call.reply().Bulk(member); });
  }
  if (count < 0) return ReplyDrawn(call, set, static_cast<uint64_t>(-count), scores);
  ReplyDistinct(call, set, std::min(static_cast<size_t>(count), set.size()), scores);
}

constexpr CommandSpec kTable[] = {{
    .name = "zrandmember",
    .synopsis = "key options:[count:integer [WITHSCORES]]",
    .summary = "Returns random members of a sorted set.",
    .since = "6.2.0",
    .group = "sorted-set",
    .complexity = "O(N) for N members that are returned.",
    .arity = -2,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .run = ZRandMember,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetRandomCommands{kTable};

}  // namespace cinnabar::commands
