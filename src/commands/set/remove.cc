// SREM and SMOVE: members leave a set.
#include "catalog/errors.h"
#include "commands/set/source_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Set;
using types::Type;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void SRem(Call& call) {
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, Type::kSet, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  Set set(holder);
  int64_t removed = 0;
  size_t left = set.size();
  for (std::string_view member : call.argv().subspan(2)) {
    if (!set.Remove(member)) continue;
    ++removed;
    if (--left == 0) break;
  }
  if (removed > 0) {
    call.Changed(config::kNotifySet, "srem", key);
    call.MarkDirty(static_cast<uint64_t>(removed) - 1);
    if (left == 0) DropCollection(call, key, holder);
  }
  call.reply().Integer(removed);
}

void AddMoved(Call& call, const Key& key, std::string_view member) {
  const types::SetLimits limits = SetLimitsOf(call);
  EntryHolder target(call.db().FindToChange(key));
  if (!target.exists()) MakeCollection(call, key, Type::kSet, Set::EmptyFor(member, limits), target);
  if (Set(target).Add(member, limits)) call.Changed(config::kNotifySet, "sadd", key);
}

void SMove(Call& call) {
  const Key from = call.key(1);
  const Key to = call.key(2);
  const std::string_view member = call.arg(3);
  // Looked at first: to find one key may remove another, expired one from the same table.
  const keyspace::EntryRef target = call.db().FindToChange(to);
  const bool target_fits = !target || target->type() == Type::kSet;
  EntryHolder holder;
  if (!OpenToWrite(call, from, Type::kSet, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  if (!target_fits) return call.reply().Error(errors::kWrongType);
  Set source(holder);
  if (from.bytes == to.bytes) return call.reply().Integer(source.Contains(member) ? 1 : 0);
  if (!source.Remove(member)) return call.reply().Integer(0);
  call.Changed(config::kNotifySet, "srem", from);
  if (source.size() == 0) DropCollection(call, from, holder);
  AddMoved(call, to, member);
  call.reply().Integer(1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "srem",
        .synopsis = "key member...",
        .summary = "Removes members from a set and says how many were there. The key goes with the last one.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(N) for N members given.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .history = "2.4.0: Accepts several members.",
        .run = SRem,
    },
    {
        .name = "smove",
        .synopsis = "source destination member",
        .summary = "Moves a member from one set to another.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete, 1),
                 dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert, 2)},
        .run = SMove,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetRemoveCommands{kTable};

}  // namespace cinnabar::commands
