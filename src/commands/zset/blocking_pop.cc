// BZPOPMIN, BZPOPMAX, BZMPOP: pops that wait for a member.
#include <vector>

#include "commands/zset/popping.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

class WaitingPop final : public dispatch::Waiting {
 public:
  WaitingPop(End end, size_t count, PopShape shape) : end_(end), count_(count), shape_(shape) {}

  bool Serve(Call& call, const Key& key) override {
    keyspace::EntryRef entry = call.db().FindToChange(key);
    if (!entry || entry->type() != types::Type::kSortedSet) return false;
    keyspace::EntryHolder holder(entry);
    PopMembers(call, key, holder, end_, count_, shape_);
    return true;
  }

 private:
  const End end_;
  const size_t count_;
  const PopShape shape_;
};

// Pops from the first of the keys that has members, or waits for one.
void PopOrWait(Call& call, size_t first_key, size_t key_count, Millis deadline, End end, size_t count,
               PopShape shape) {
  std::vector<Key> keys;
  keys.reserve(key_count);
  for (size_t i = 0; i < key_count; ++i) {
    keys.push_back(call.key(first_key + i));
    keyspace::EntryHolder holder;
    if (!OpenSortedSetToWrite(call, keys.back(), holder)) return;
    if (holder.exists()) return PopMembers(call, keys.back(), holder, end, count, shape);
  }
  if (!call.may_block()) return call.reply().NullArray();
  call.Block(std::make_unique<WaitingPop>(end, count, shape), keys, deadline);
}

void PopOneOrWait(Call& call, End end) {
  Args args(call, call.argc() - 1);
  const Millis deadline = TakeTimeoutSeconds(args, call.now());
  if (args.failed()) return args.Reply(call);
  PopOrWait(call, 1, call.argc() - 2, deadline, end, 1, PopShape::kKeyAndOne);
}

void BZPopMin(Call& call) {
  PopOneOrWait(call, End::kLowest);
}
void BZPopMax(Call& call) {
  PopOneOrWait(call, End::kHighest);
}

void BZMPop(Call& call) {
  Args args(call);
  const Millis deadline = TakeTimeoutSeconds(args, call.now());
  const MultiPop pop = MultiPop::Take(args);
  if (args.failed()) return args.Reply(call);
  PopOrWait(call, pop.first_key, pop.keys, deadline, pop.end, pop.count, PopShape::kKeyAndPairs);
}

constexpr uint16_t kUse = KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete;

constexpr CommandSpec BlockingPopSpec(std::string_view name, std::string_view summary,
                                      dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key... timeout:double",
          .summary = summary,
          .since = "5.0.0",
          .group = "sorted-set",
          .complexity = "O(log(N)) with N members in the sorted set.",
          .arity = -3,
          .flags = Flag::kWrite | Flag::kNoScript | Flag::kBlocking | Flag::kFast,
          .keys = {dispatch::KeyRange(kUse, 1, -2)},
          .history = "6.0.0: `timeout` is interpreted as a double instead of an integer.",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    BlockingPopSpec("bzpopmax",
                    "Removes the member with the highest score from the first sorted set that has any and "
                    "returns it; waits for one if there is none.",
                    BZPopMax),
    BlockingPopSpec("bzpopmin",
                    "Removes the member with the lowest score from the first sorted set that has any and "
                    "returns it; waits for one if there is none.",
                    BZPopMin),
    {
        .name = "bzmpop",
        .synopsis = "timeout:double numkeys:integer key... where:(MIN|MAX) [COUNT:integer count]",
        .summary = "Removes the members with the lowest or highest scores from the first sorted set that has "
                   "any and returns them; waits for one if there is none.",
        .since = "7.0.0",
        .group = "sorted-set",
        .complexity = "O(K) + O(M*log(N)) for K keys, N members in the sorted set and M of them popped.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kBlocking | Flag::kMovableKeys,
        .keys = {{.use = kUse,
                  .first = 2,
                  .find = dispatch::KeySpec::Find::kKeyNumber,
                  .number_at = 0,
                  .first_key = 1}},
        .run = BZMPop,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetBlockingPopCommands{kTable};

}  // namespace cinnabar::commands
