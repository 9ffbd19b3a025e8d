// LPOS.
#include <limits>
#include <vector>

#include "commands/list/list_access.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::List;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr std::string_view kRankZero =
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
    "start from the end of the list";
constexpr std::string_view kRankTooSmall =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
constexpr std::string_view kCountNegative = "ERR COUNT can't be negative";
constexpr std::string_view kMaxLenNegative = "ERR MAXLEN can't be negative";

struct PositionOptions {
  ListEnd from = ListEnd::kHead;
  uint64_t skip = 0;            // matches before the first that counts
  std::optional<size_t> count;  // 0: all
  size_t look_at_most = 0;      // 0: all
};

PositionOptions ParseOptions(Args& args) {
  PositionOptions options;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("RANK")) {
      constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
      const int64_t rank = args.Int(-kMost, kMost, kRankTooSmall);
      if (args.failed()) break;
      if (rank == 0) args.Fail(kRankZero);
      options.from = rank < 0 ? ListEnd::kTail : ListEnd::kHead;
      options.skip = static_cast<uint64_t>(rank < 0 ? -rank : rank) - 1;
    } else if (args.TakeWith("COUNT")) {
      options.count = TakeCount(args, 0, kCountNegative);
    } else if (args.TakeWith("MAXLEN")) {
      options.look_at_most = TakeCount(args, 0, kMaxLenNegative);
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

std::vector<size_t> FindPositions(const List& list, std::string_view value, const PositionOptions& options) {
  std::vector<size_t> positions;
  const types::SoughtElement sought(value);
  const bool forwards = options.from == ListEnd::kHead;
  const size_t size = list.size();
  const size_t most = options.look_at_most == 0 ? size : std::min(size, options.look_at_most);
  const size_t wanted = options.count.value_or(1);
  uint64_t skip = options.skip;
  size_t seen = 0;
  list.Walk(forwards ? 0 : size - 1, forwards ? ListEnd::kTail : ListEnd::kHead,
            [&](const listpack::Element& element) {
              if (sought.Is(element)) {
                if (skip > 0) {
                  --skip;
                } else {
                  positions.push_back(forwards ? seen : size - 1 - seen);
                  if (positions.size() == wanted) return false;
                }
              }
              return ++seen < most;
            });
  return positions;
}

void LPos(Call& call) {
  Args args(call, 3);
  const PositionOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  keyspace::EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kList, holder)) return;
  std::vector<size_t> positions;
  if (holder.exists()) positions = FindPositions(List(holder, {}), call.arg(2), options);
  if (!options.count) {
    if (positions.empty()) return call.reply().Null();
    return call.reply().Integer(static_cast<int64_t>(positions[0]));
  }
  call.reply().Array(positions.size());
  for (size_t position : positions) call.reply().Integer(static_cast<int64_t>(position));
}

constexpr CommandSpec kTable[] = {{
    .name = "lpos",
    .synopsis = "key element [RANK:integer rank] [COUNT:integer num-matches] [MAXLEN:integer len]",
    .summary = "Returns the indexes at which an element stands in a list.",
    .since = "6.0.6",
    .group = "list",
    .complexity = "O(N) for N elements looked at: all of them at worst, fewer for matches near the end where "
                  "the search starts or with MAXLEN.",
    .arity = -3,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .run = LPos,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListPositionCommands{kTable};

}  // namespace cinnabar::commands
