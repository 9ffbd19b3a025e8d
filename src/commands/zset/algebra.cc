// Unions, intersections and differences: ZUNION, ZINTER, ZDIFF, their STORE forms, and ZINTERCARD.
#include <cmath>
#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/zset/sources.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::SortedSetBuilder;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

enum class Operation : uint8_t { kUnion, kIntersection, kDifference };
enum class Aggregate : uint8_t { kSum, kLeast, kMost };
enum class Result : uint8_t { kShown, kStored };

double Combine(Aggregate aggregate, double a, double b) {
  if (aggregate == Aggregate::kLeast) return std::min(a, b);
  if (aggregate == Aggregate::kMost) return std::max(a, b);
  const double sum = a + b;
  return std::isnan(sum) ? 0 : sum;  // infinities that cancel out
}

// The arguments `numkeys key...`; opens the keys. False when an error has been answered.
bool TakeSources(Call& call, Args& args, Sources& sources) {
  const int64_t count = args.Int();
  if (!args.failed() && count < 1) {
    args.Fail("ERR at least 1 input key is needed for '" + std::string(args.command_name()) + "' command");
  }
  if (!args.failed() && static_cast<uint64_t>(count) > args.left()) args.FailSyntax();
  if (args.failed()) {
    args.Reply(call);
    return false;
  }
  const size_t first = args.position();
  args.Skip(static_cast<size_t>(count));
  return sources.Open(call, first, static_cast<size_t>(count));
}

void TakeWeights(Args& args, Sources& sources) {
  for (size_t i = 0; i < sources.size() && !args.failed(); ++i) {
    const auto weight = ParseDouble(args.Next());
    if (!weight) return args.Fail("ERR weight value is not a float");
    sources[i].set_weight(*weight);
  }
}

Aggregate TakeAggregate(Args& args) {
  if (args.Take("MIN")) return Aggregate::kLeast;
  if (args.Take("MAX")) return Aggregate::kMost;
  if (!args.Take("SUM")) args.FailSyntax();
  return Aggregate::kSum;
}

struct Options {
  Aggregate aggregate = Aggregate::kSum;
  Scores scores = Scores::kWithout;
};

Options TakeOptions(Args& args, Sources& sources, Operation operation, Result result) {
  Options options;
  while (args.more() && !args.failed()) {
    if (operation != Operation::kDifference && args.TakeWith("WEIGHTS", sources.size())) {
      TakeWeights(args, sources);
    } else if (operation != Operation::kDifference && args.TakeWith("AGGREGATE")) {
      options.aggregate = TakeAggregate(args);
    } else if (result == Result::kShown && args.Take("WITHSCORES")) {
      options.scores = Scores::kWith;
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

void Unite(Call& call, const Sources& sources, Aggregate aggregate, SortedSetBuilder& result) {
  for (const Source* source : sources.all()) {
    source->ForEach([&](std::string_view member, double score) {
      const double weighted = source->Weighted(score);
      result.AddOrCombine(member, weighted, [&](double old) { return Combine(aggregate, old, weighted); });
      call.Yield();
    });
  }
}

void Intersect(Call& call, Sources& sources, Aggregate aggregate, SortedSetBuilder& result) {
  sources.SortBySize();
  const Source& smallest = sources.first();
  smallest.ForEach([&](std::string_view member, double score) {
    call.Yield();
    double combined = smallest.Weighted(score);
    for (const Source* other : sources.others()) {
      const auto found = other->Score(member);
      if (!found) return;
      combined = Combine(aggregate, combined, other->Weighted(*found));
    }
    result.Add(member, combined);
  });
}

void Subtract(Call& call, const Sources& sources, SortedSetBuilder& result) {
  sources.first().ForEach([&](std::string_view member, double score) {
    call.Yield();
    for (const Source* other : sources.others()) {
      if (other->Score(member)) return;
    }
    result.Add(member, score);
  });
}

void Run(Call& call, Sources& sources, Operation operation, Aggregate aggregate, SortedSetBuilder& result) {
  switch (operation) {
    case Operation::kUnion:
      return Unite(call, sources, aggregate, result);
    case Operation::kIntersection:
      return Intersect(call, sources, aggregate, result);
    case Operation::kDifference:
      return Subtract(call, sources, result);
  }
}

void Show(Call& call, Operation operation) {
  Args args(call);
  Sources sources;
  if (!TakeSources(call, args, sources)) return;
  const Options options = TakeOptions(args, sources, operation, Result::kShown);
  if (args.failed()) return args.Reply(call);
  SortedSetBuilder result;
  Run(call, sources, operation, options.aggregate, result);
  MembersReply reply(call.reply(), result.size(), options.scores);
  types::OwnHolder members = result.Finish(SortedSetLimits(call), [&](uint32_t steps) { call.Yield(steps); });
  types::SortedSet(members).ForEach([&](std::string_view member, double score) {
    reply.Add(member, score);
    call.Yield();
  });
  if (!members.packed()) FreeValue(call, members.TakeObject());
}

void Store(Call& call, Operation operation, std::string_view event) {
  Args args(call, 2);
  Sources sources;
  if (!TakeSources(call, args, sources)) return;
  const Options options = TakeOptions(args, sources, operation, Result::kStored);
  if (args.failed()) return args.Reply(call);
  SortedSetBuilder result;
  Run(call, sources, operation, options.aggregate, result);
  call.reply().Integer(static_cast<int64_t>(StoreSortedSet(call, call.key(1), result, event)));
}

void ZUnion(Call& call) {
  Show(call, Operation::kUnion);
}
void ZInter(Call& call) {
  Show(call, Operation::kIntersection);
}
void ZDiff(Call& call) {
  Show(call, Operation::kDifference);
}
void ZUnionStore(Call& call) {
  Store(call, Operation::kUnion, "zunionstore");
}
void ZInterStore(Call& call) {
  Store(call, Operation::kIntersection, "zinterstore");
}
void ZDiffStore(Call& call) {
  Store(call, Operation::kDifference, "zdiffstore");
}

void ZInterCard(Call& call) {
  constexpr std::string_view kBadLimit = "ERR LIMIT can't be negative";
  Args args(call);
  Sources sources;
  if (!TakeSources(call, args, sources)) return;
  uint64_t limit = 0;
  while (args.more() && !args.failed()) {
    if (!args.TakeWith("LIMIT")) {
      args.FailSyntax();
      break;
    }
    const auto number = ParseInt64(args.Next());
    if (!number || *number < 0) args.Fail(kBadLimit);
    limit = static_cast<uint64_t>(number.value_or(0));
  }
  if (args.failed()) return args.Reply(call);
  sources.SortBySize();
  uint64_t count = 0;
  sources.first().ForEachWhile([&](std::string_view member, double) {
    const auto others = sources.others();
    call.Yield();
    count += std::all_of(others.begin(), others.end(),
                         [&](const Source* other) { return other->Score(member).has_value(); });
    return limit == 0 || count < limit;
  });
  call.reply().Integer(static_cast<int64_t>(count));
}

constexpr dispatch::KeySpec CountedKeys(int8_t first) {
  return {.use = KeyUse::kRo | KeyUse::kAccess,
          .first = first,
          .find = dispatch::KeySpec::Find::kKeyNumber,
          .number_at = 0,
          .first_key = 1};
}

constexpr std::string_view kUnionComplexity =
    "O(N)+O(M*log(M)) for N members in all the sources together and M in the result.";
constexpr std::string_view kInterComplexity =
    "O(N*K)+O(M*log(M)) at worst, for N members in the smallest of K sources and M in the result.";
constexpr std::string_view kDiffComplexity =
    "O(N*K)+O(M*log(M)) at worst, for N members in the first of K sources and M in the result.";

constexpr CommandSpec Shown(std::string_view name, std::string_view synopsis, std::string_view summary,
                            std::string_view complexity, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = "6.2.0",
          .group = "sorted-set",
          .complexity = complexity,
          .arity = -3,
          .flags = Flag::kReadOnly | Flag::kMovableKeys,
          .keys = {CountedKeys(1)},
          .run = run};
}

constexpr CommandSpec Stored(std::string_view name, std::string_view synopsis, std::string_view summary,
                             std::string_view since, std::string_view complexity, dispatch::Handler run) {
  return {.name = name,
          .synopsis = synopsis,
          .summary = summary,
          .since = since,
          .group = "sorted-set",
          .complexity = complexity,
          .arity = -4,
          .flags = Flag::kWrite | Flag::kDenyOom | Flag::kMovableKeys,
          .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 1), CountedKeys(2)},
          .run = run};
}

constexpr std::string_view kCombined =
    "numkeys:integer key... [WEIGHTS:integer weight...] aggregate:[AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]";
constexpr std::string_view kCombinedStore =
    "destination numkeys:integer key... [WEIGHTS:integer weight...] aggregate:[AGGREGATE (SUM|MIN|MAX)]";

constexpr CommandSpec kTable[] = {
    Shown("zdiff", "numkeys:integer key... [WITHSCORES]",
          "Returns the members of the first sorted set that are in none of the others.", kDiffComplexity,
          ZDiff),
    Stored("zdiffstore", "destination numkeys:integer key...",
           "Stores the members of the first sorted set that are in none of the others.", "6.2.0",
           kDiffComplexity, ZDiffStore),
    Shown("zinter", kCombined, "Returns the members that are in all of several sorted sets.",
          kInterComplexity, ZInter),
    {
        .name = "zintercard",
        .synopsis = "numkeys:integer key... [LIMIT:integer limit]",
        .summary = "Counts the members that are in all of several sorted sets.",
        .since = "7.0.0",
        .group = "sorted-set",
        .complexity = "O(N*K) at worst, for N members in the smallest of K sources.",
        .arity = -3,
        .flags = Flag::kReadOnly | Flag::kMovableKeys,
        .keys = {CountedKeys(1)},
        .run = ZInterCard,
    },
    Stored("zinterstore", kCombinedStore, "Stores the members that are in all of several sorted sets.",
           "2.0.0", kInterComplexity, ZInterStore),
    Shown("zunion", kCombined, "Returns the members that are in any of several sorted sets.",
          kUnionComplexity, ZUnion),
    Stored("zunionstore", kCombinedStore, "Stores the members that are in any of several sorted sets.",
           "2.0.0", kUnionComplexity, ZUnionStore),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetAlgebraCommands{kTable};

}  // namespace cinnabar::commands
