// ZADD and ZINCRBY.
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::AddRule;
using types::SortedSet;
using Outcome = types::SortedSet::Outcome;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct AddOptions {
  AddRule rule;
  bool count_changed = false;  // CH
  bool increment() const { return rule.meaning == AddRule::Meaning::kIncrement; }
};

AddOptions TakeOptions(Args& args) {
  using Presence = AddRule::Presence;
  using Comparison = AddRule::Comparison;
  AddOptions options;
  bool only_new = false, only_present = false, greater = false, less = false;
  while (true) {
    if (args.Take("NX")) {
      only_new = true;
    } else if (args.Take("XX")) {
      only_present = true;
    } else if (args.Take("CH")) {
      options.count_changed = true;
    } else if (args.Take("INCR")) {
      options.rule.meaning = AddRule::Meaning::kIncrement;
    } else if (args.Take("GT")) {
      greater = true;
    } else if (args.Take("LT")) {
      less = true;
    } else {
      break;
    }
  }
  if (args.left() == 0 || args.left() % 2 != 0) args.FailSyntax();
  if (only_new && only_present) args.Fail("ERR XX and NX options at the same time are not compatible");
  if (only_new + greater + less > 1) {
    args.Fail("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (options.increment() && args.left() > 2) {
    args.Fail("ERR INCR option supports a single increment-element pair");
  }
  options.rule.presence = only_new       ? Presence::kOnlyNew
                          : only_present ? Presence::kOnlyPresent
                                         : Presence::kAny;
  options.rule.comparison = greater ? Comparison::kOnlyGreater
                            : less  ? Comparison::kOnlyLess
                                    : Comparison::kAny;
  return options;
}

// The scores in front of the members: all are read before anything is changed.
class ScoreList {
 public:
  ScoreList(std::span<const std::string_view> pairs, Args& args) {
    if (pairs.size() / 2 > kNear) {
      far_.resize(pairs.size() / 2);
      scores_ = far_.data();
    }
    for (size_t i = 0; i < pairs.size(); i += 2) {
      const auto score = ParseDouble(pairs[i]);
      if (!score) args.Fail(errors::kNotFloat);
      scores_[i / 2] = score.value_or(0);
    }
  }
  ScoreList(const ScoreList&) = delete;
  double operator[](size_t index) const { return scores_[index]; }

 private:
  static constexpr size_t kNear = 16;
  double near_[kNear];
  std::vector<double> far_;
  double* scores_ = near_;
};

void ReplyIncremented(Call& call, const SortedSet::Added& added) {
  if (added.outcome == Outcome::kRefused) return call.reply().Null();
  call.reply().Double(added.score);
}

void Add(Call& call, std::span<const std::string_view> pairs, const ScoreList& scores,
         const AddOptions& options) {
  const Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToWrite(call, key, holder)) return;
  if (!holder.exists()) {
    if (options.rule.presence == AddRule::Presence::kOnlyPresent) {
      return options.increment() ? call.reply().Null() : call.reply().Integer(0);
    }
    MakeCollection(call, key, types::Type::kSortedSet, SortedSet::kEmptyPacked, holder);
  }
  SortedSet set(holder);
  const types::PackLimits limits = SortedSetLimits(call);
  uint64_t added = 0, changed = 0;
  SortedSet::Added last{};
  for (size_t i = 0; i < pairs.size(); i += 2) {
    last = set.Add(pairs[i + 1], scores[i / 2], options.rule, limits);
    added += last.outcome == Outcome::kAdded;
    changed += last.outcome == Outcome::kChanged;
  }
  if (last.outcome == Outcome::kNotANumber) {
    return call.reply().Error("ERR resulting score is not a number (NaN)");
  }
  if (added + changed > 0) {
    call.Changed(config::kNotifySortedSet, options.increment() ? "zincr" : "zadd", key);
    call.MarkDirty(added + changed - 1);
  }
  if (options.increment()) return ReplyIncremented(call, last);
  call.reply().Integer(static_cast<int64_t>(options.count_changed ? added + changed : added));
}

void ZAdd(Call& call) {
  Args args(call, 2);
  const AddOptions options = TakeOptions(args);
  if (args.failed()) return args.Reply(call);
  const auto pairs = call.argv().subspan(args.position());
  const ScoreList scores(pairs, args);
  if (args.failed()) return args.Reply(call);
  Add(call, pairs, scores, options);
}

void ZIncrBy(Call& call) {
  Args args(call, 2);
  const auto pair = call.argv().subspan(2);
  const ScoreList scores(pair, args);
  if (args.failed()) return args.Reply(call);
  Add(call, pair, scores, {.rule = {.meaning = AddRule::Meaning::kIncrement}});
}

constexpr uint64_t kFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;

constexpr CommandSpec kTable[] = {
    {
        .name = "zadd",
        .synopsis = "key condition:[NX|XX]@3.0.2 comparison:[GT|LT]@6.2.0 [CH:pure-token change]@3.0.2 "
                    "[INCR:pure-token increment]@3.0.2 (score:double member)...",
        .summary = "Adds members with scores to a sorted set, or gives present members new scores.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = "O(log(N)) for each member, with N members in the sorted set.",
        .arity = -4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .history = "2.4.0: Accepts multiple elements.|3.0.2: Added the `XX`, `NX`, `CH` and `INCR` "
                   "options.|6.2.0: Added the `GT` and `LT` options.",
        .run = ZAdd,
    },
    {
        .name = "zincrby",
        .synopsis = "key increment:integer member",
        .summary = "Adds a number to the score of a member. A missing member counts as 0.",
        .since = "1.2.0",
        .group = "sorted-set",
        .complexity = "O(log(N)) with N members in the sorted set.",
        .arity = 4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate)},
        .run = ZIncrBy,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetAddCommands{kTable};

}  // namespace cinnabar::commands
