// LLEN, LINDEX and LRANGE.
#include "commands/list/list_access.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using types::List;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void LLen(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kList, holder)) return;
  call.reply().Integer(holder.exists() ? static_cast<int64_t>(List(holder, {}).size()) : 0);
}

// The index is read only once there is a list.
void LIndex(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Null();
  Args args(call, 2);
  const int64_t wanted = args.Int();
  if (args.failed()) return args.Reply(call);
  const List list(holder, {});
  const auto index = ResolveIndex(wanted, list.size());
  if (!index) return call.reply().Null();
  list.VisitRange(*index, 1, ListEnd::kTail,
                  [&](const listpack::Element& element) { ReplyElement(call.reply(), element); });
}

void LRange(Call& call) {
  Args args(call, 2);
  const int64_t start = args.Int();
  const int64_t stop = args.Int();
  if (args.failed()) return args.Reply(call);
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Array(0);
  const List list(holder, {});
  const ListRange range = ResolveRange(start, stop, list.size());
  call.reply().Array(range.count);
  list.VisitRange(range.first, range.count, ListEnd::kTail, [&](const listpack::Element& element) {
    ReplyElement(call.reply(), element);
    call.Yield();
  });
}

constexpr CommandSpec kTable[] = {
    {
        .name = "llen",
        .synopsis = "key",
        .summary = "Returns the number of elements of a list.",
        .since = "1.0.0",
        .group = "list",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = LLen,
    },
    {
        .name = "lindex",
        .synopsis = "key index:integer",
        .summary = "Returns the element of a list at an index.",
        .since = "1.0.0",
        .group = "list",
        .complexity = "O(N) for N elements between the index and the nearer end of its node; nodes are "
                      "skipped by their counts. O(1) at both ends.",
        .arity = 3,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = LIndex,
    },
    {
        .name = "lrange",
        .synopsis = "key start:integer stop:integer",
        .summary = "Returns the elements of a list between two indexes.",
        .since = "1.0.0",
        .group = "list",
        .complexity = "O(S+N) for N elements returned and S elements of a node to be skipped before them.",
        .arity = 4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = LRange,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListRangeCommands{kTable};

}  // namespace cinnabar::commands
