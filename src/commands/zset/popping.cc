#include "commands/zset/popping.h"

#include <algorithm>
#include <limits>

#include "base/numbers.h"

namespace cinnabar::commands {

using dispatch::Args;
using types::Direction;
using types::SortedSet;

namespace {

std::string_view EventName(End end) {
  return end == End::kLowest ? "zpopmin" : "zpopmax";
}

void ReplyPopped(protocol::ReplyWriter& reply, const keyspace::Key& key, const SortedSet& set,
                 const types::RankRange& range, Direction direction, PopShape shape) {
  const bool pairs =
      shape == PopShape::kKeyAndPairs || (shape == PopShape::kPairs && reply.version() == protocol::Resp::k3);
  if (shape == PopShape::kKeyAndOne) {
    reply.Array(3);
    reply.Bulk(key.bytes);
  } else {
    if (shape == PopShape::kKeyAndPairs) {
      reply.Array(2);
      reply.Bulk(key.bytes);
    }
    reply.Array(pairs ? range.count : range.count * 2);
  }
  set.ForEachInRanks(range, direction, [&](std::string_view member, double score) {
    if (pairs) reply.Array(2);
    reply.Bulk(member);
    reply.Double(score);
  });
}

// ZPOPMIN and ZPOPMAX are their own effect.
void Propagate(dispatch::Call& call, const keyspace::Key& key, End end, size_t popped, PopShape shape) {
  const std::string_view command = end == End::kLowest ? "ZPOPMIN" : "ZPOPMAX";
  if (shape == PopShape::kKeyAndOne) return call.Propagate({command, key.bytes});
  if (shape != PopShape::kKeyAndPairs) return;
  char digits[kInt64TextBytes];
  call.Propagate({command, key.bytes, {digits, FormatUInt64(popped, digits)}});
}

}  // namespace

void PopMembers(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder, End end,
                size_t count, PopShape shape) {
  const SortedSet set(holder);
  const size_t size = set.size();
  const size_t popped = std::min(count, size);
  const bool lowest = end == End::kLowest;
  const types::RankRange range{lowest ? 0 : size - popped, popped};
  ReplyPopped(call.reply(), key, set, range, lowest ? Direction::kUp : Direction::kDown, shape);
  Propagate(call, key, end, popped, shape);
  EraseMembers(call, key, holder, range, EventName(end));
}

MultiPop MultiPop::Take(Args& args) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr std::string_view kBadNumber = "ERR numkeys should be greater than 0";
  constexpr std::string_view kBadCount = "ERR count should be greater than 0";
  auto positive = [&](std::string_view error) {
    const auto number = ParseInt64(args.Next());
    if (!number || *number < 1 || *number > kMost) args.Fail(error);
    return static_cast<size_t>(number.value_or(1));
  };
  MultiPop pop;
  pop.keys = positive(kBadNumber);
  pop.first_key = args.position();
  if (args.failed()) return pop;
  if (pop.keys >= args.left()) {
    args.FailSyntax();
    return pop;
  }
  args.Skip(pop.keys);
  if (args.Take("MAX")) {
    pop.end = End::kHighest;
  } else if (!args.Take("MIN")) {
    args.FailSyntax();
  }
  if (!args.failed() && args.TakeWith("COUNT")) pop.count = positive(kBadCount);
  if (args.more()) args.FailSyntax();
  return pop;
}

}  // namespace cinnabar::commands
