// BLPOP and BRPOP: from the first of several lists that is there, or from the first that comes.
#include <vector>

#include "commands/list/list_access.h"
#include "dispatch/blocking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void PopOne(Call& call, const Key& key, EntryHolder& holder, ListEnd end) {
  call.reply().Array(2);
  call.reply().Bulk(key.bytes);
  types::List(holder, {}).VisitEnd(end, [&](const listpack::Element& element) {
    ReplyElement(call.reply(), element);
  });
  TakeFromList(call, key, holder, end, 1);
  call.Propagate({PopName(end), key.bytes});
}

class WaitingPop final : public dispatch::Waiting {
 public:
  explicit WaitingPop(ListEnd end) : end_(end) {}

  bool Serve(Call& call, const Key& key) override {
    keyspace::EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
    if (!entry || entry->type() != types::Type::kList) return false;
    EntryHolder holder(entry);
    PopOne(call, key, holder, end_);
    return true;
  }

 private:
  ListEnd end_;
};

void PopOrWait(Call& call, ListEnd end) {
  const size_t last = call.argc() - 1;
  Args args(call, last);
  const Millis deadline = dispatch::TakeTimeoutSeconds(args, call.now());
  if (args.failed()) return args.Reply(call);
  std::vector<Key> keys;
  keys.reserve(last - 1);
  for (size_t i = 1; i < last; ++i) {
    keys.push_back(call.key(i));
    EntryHolder holder;
    if (!OpenToWrite(call, keys.back(), types::Type::kList, holder)) return;
    if (holder.exists()) return PopOne(call, keys.back(), holder, end);
  }
  if (!call.may_block()) return call.reply().NullArray();
  call.Block(std::make_unique<WaitingPop>(end), keys, deadline);
}

void BLPop(Call& call) {
  PopOrWait(call, ListEnd::kHead);
}
void BRPop(Call& call) {
  PopOrWait(call, ListEnd::kTail);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key... timeout:double",
          .summary = summary,
          .since = "2.0.0",
          .group = "list",
          .complexity = "O(N) for N keys.",
          .arity = -3,
          .flags = Flag::kWrite | Flag::kNoScript | Flag::kBlocking,
          .keys = {dispatch::KeyRange(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete, 1, -2)},
          .history = "6.0.0: `timeout` is interpreted as a double instead of an integer.",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("blpop", "Takes the first element out of a list and returns it; waits for one if need be.", BLPop),
    Spec("brpop", "Takes the last element out of a list and returns it; waits for one if need be.", BRPop),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListBlockingPopCommands{kTable};

}  // namespace cinnabar::commands
