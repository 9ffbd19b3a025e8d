// LPOP and RPOP.
#include "commands/list/list_access.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::List;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void PopSome(Call& call, ListEnd end) {
  Args args(call, 2);
  const size_t wanted = TakeCount(args, 0, errors::kMustBePositive);
  if (args.more()) {
    return call.reply().Error("ERR wrong number of arguments for '" + std::string(call.command().name) +
                              "' command");
  }
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().NullArray();
  const List list(holder, {});
  const size_t size = list.size();
  const size_t count = std::min(wanted, size);
  call.reply().Array(count);
  if (count == 0) return;
  list.VisitRange(end == ListEnd::kHead ? 0 : size - 1, count,
                  end == ListEnd::kHead ? ListEnd::kTail : ListEnd::kHead,
                  [&](const listpack::Element& element) { ReplyElement(call.reply(), element); });
  TakeFromList(call, key, holder, end, count);
}

void Pop(Call& call, ListEnd end) {
  if (call.argc() > 2) return PopSome(call, end);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (!holder.exists()) return call.reply().Null();
  List(holder, {}).VisitEnd(end, [&](const listpack::Element& element) {
    ReplyElement(call.reply(), element);
  });
  TakeFromList(call, key, holder, end, 1);
}

void LPop(Call& call) {
  Pop(call, ListEnd::kHead);
}
void RPop(Call& call) {
  Pop(call, ListEnd::kTail);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key [count:integer]@6.2.0",
          .summary = summary,
          .since = "1.0.0",
          .group = "list",
          .complexity = "O(N) for N elements returned.",
          .arity = -2,
          .flags = Flag::kWrite | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete)},
          .history = "6.2.0: Added the `count` argument.",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("lpop", "Takes the first elements out of a list and returns them.", LPop),
    Spec("rpop", "Takes the last elements out of a list and returns them.", RPop),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListPopCommands{kTable};

}  // namespace cinnabar::commands
