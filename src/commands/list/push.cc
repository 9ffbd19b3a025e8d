// LPUSH, RPUSH, and LPUSHX, RPUSHX, which want the list to be there.
#include "commands/list/list_access.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

enum class Absent : uint8_t { kIsMade, kStaysAbsent };

void Push(Call& call, ListEnd end, Absent absent) {
  const keyspace::Key key = call.key(1);
  keyspace::EntryHolder holder;
  if (!OpenToWrite(call, key, types::Type::kList, holder)) return;
  if (absent == Absent::kStaysAbsent && !holder.exists()) return call.reply().Integer(0);
  const std::span<const std::string_view> values = call.argv().subspan(2);
  PushToList(call, key, holder, end, values);
  call.Changed(config::kNotifyList, PushEvent(end), key);
  call.MarkDirty(values.size() - 1);
  call.reply().Integer(static_cast<int64_t>(types::List(holder, {}).size()));
}

void LPush(Call& call) {
  Push(call, ListEnd::kHead, Absent::kIsMade);
}
void RPush(Call& call) {
  Push(call, ListEnd::kTail, Absent::kIsMade);
}
void LPushX(Call& call) {
  Push(call, ListEnd::kHead, Absent::kStaysAbsent);
}
void RPushX(Call& call) {
  Push(call, ListEnd::kTail, Absent::kStaysAbsent);
}

constexpr std::string_view kComplexity = "O(1) for each element added, O(N) for N elements.";

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, std::string_view since,
                           std::string_view history, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key element...",
          .summary = summary,
          .since = since,
          .group = "list",
          .complexity = kComplexity,
          .arity = -3,
          .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
          .history = history,
          .run = run};
}

constexpr std::string_view kSeveral24 = "2.4.0: Accepts multiple `element` arguments.";
constexpr std::string_view kSeveral40 = "4.0.0: Accepts multiple `element` arguments.";

constexpr CommandSpec kTable[] = {
    Spec("lpush", "Adds elements before the first of a list; makes the list if it is not there.", "1.0.0",
         kSeveral24, LPush),
    Spec("rpush", "Adds elements behind the last of a list; makes the list if it is not there.", "1.0.0",
         kSeveral24, RPush),
    Spec("lpushx", "Adds elements before the first of a list, only if the list exists.", "2.2.0", kSeveral40,
         LPushX),
    Spec("rpushx", "Adds elements behind the last of a list, only if the list exists.", "2.2.0", kSeveral40,
         RPushX),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListPushCommands{kTable};

}  // namespace cinnabar::commands
