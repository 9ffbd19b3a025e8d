// LSET, LINSERT, LREM and LTRIM.
#include "commands/list/list_access.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyList;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::List;
using types::ListEnd;
using types::ListSide;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// The index is read only once there is a list.
void LSet(Call& call) {
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Error(errors::kNoSuchKey);
  Args args(call, 2);
  const int64_t wanted = args.Int();
  if (args.failed()) return args.Reply(call);
  List list(holder, ListOptionsOf(call));
  const auto index = ResolveIndex(wanted, list.size());
  if (!index) return call.reply().Error(errors::kIndexOutOfRange);
  list.Set(*index, call.arg(3));
  call.Changed(kNotifyList, "lset", key);
  call.reply().Ok();
}

void LInsert(Call& call) {
  Args args(call, 2);
  const ListSide side = args.Take("AFTER") ? ListSide::kAfter : ListSide::kBefore;
  if (side == ListSide::kBefore && !args.Take("BEFORE")) args.FailSyntax();
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  List list(holder, ListOptionsOf(call));
  if (!list.Insert(side, call.arg(3), call.arg(4))) return call.reply().Integer(-1);
  call.Changed(kNotifyList, "linsert", key);
  call.reply().Integer(static_cast<int64_t>(list.size()));
}

void LRem(Call& call) {
  Args args(call, 2);
  const int64_t count = args.Int();
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  List list(holder, ListOptionsOf(call));
  const auto magnitude = static_cast<uint64_t>(count);
  const size_t most = count == 0 ? SIZE_MAX : count < 0 ? ~magnitude + 1 : magnitude;
  const size_t removed = list.Remove(count < 0 ? ListEnd::kTail : ListEnd::kHead, most, call.arg(3));
  call.reply().Integer(static_cast<int64_t>(removed));
  if (removed == 0) return;
  call.Changed(kNotifyList, "lrem", key);
  call.MarkDirty(removed - 1);
  if (list.size() == 0) DropCollection(call, key, holder);
}

void LTrim(Call& call) {
  Args args(call, 2);
  const int64_t start = args.Int();
  const int64_t stop = args.Int();
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  call.reply().Ok();
  if (!holder.exists()) return;
  List list(holder, ListOptionsOf(call));
  const size_t size = list.size();
  const ListRange kept = ResolveRange(start, stop, size);
  if (kept.count == size) {
    // Announced all the same, as Redis does, but nothing changed.
    call.db().MarkChanged(key, call.session_id());
    return call.Notify(kNotifyList, "ltrim", key.bytes);
  }
  call.Changed(kNotifyList, "ltrim", key);
  call.MarkDirty(size - kept.count - 1);
  if (kept.count > 0) {
    FreeNodes(call, list.Drop(ListEnd::kTail, size - kept.first - kept.count));
    return FreeNodes(call, list.Drop(ListEnd::kHead, kept.first));
  }
  // All but one go as nodes, so that a long list is freed elsewhere.
  FreeNodes(call, list.Drop(ListEnd::kTail, size - 1));
  DropCollection(call, key, holder);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "lset",
        .synopsis = "key index:integer element",
        .summary = "Puts an element in the place of the one at an index of a list.",
        .since = "1.0.0",
        .group = "list",
        .complexity = "O(N) for the N elements of one node; O(1) at both ends.",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = LSet,
    },
    {
        .name = "linsert",
        .synopsis = "key where:(BEFORE|AFTER) pivot element",
        .summary = "Inserts an element before or after the first one that equals a given value.",
        .since = "2.2.0",
        .group = "list",
        .complexity =
            "O(N) for N elements before the pivot: near the head of the list this is O(1), near its "
            "tail O(N) for the whole list.",
        .arity = 5,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
        .run = LInsert,
    },
    {
        .name = "lrem",
        .synopsis = "key count:integer element",
        .summary = "Removes elements of a list that equal a given value.",
        .since = "1.0.0",
        .group = "list",
        .complexity = "O(N+M) for a list of N elements of which M are removed.",
        .arity = 4,
        .flags = Flag::kWrite,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .run = LRem,
    },
    {
        .name = "ltrim",
        .synopsis = "key start:integer stop:integer",
        .summary = "Removes everything from a list but the elements between two indexes.",
        .since = "1.0.0",
        .group = "list",
        .complexity =
            "O(N) for N nodes removed: elements go by the node, and many of them are freed by another "
            "thread.",
        .arity = 4,
        .flags = Flag::kWrite,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .run = LTrim,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListEditCommands{kTable};

}  // namespace cinnabar::commands
