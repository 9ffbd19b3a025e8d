// SISMEMBER, SMISMEMBER, SCARD, SMEMBERS: what is in a set.
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

void SIsMember(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  call.reply().Integer(holder.exists() && Set(holder).Contains(call.arg(2)) ? 1 : 0);
}

void SMIsMember(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  call.reply().Array(call.argc() - 2);
  for (std::string_view member : call.argv().subspan(2)) {
    call.reply().Integer(holder.exists() && Set(holder).Contains(member) ? 1 : 0);
  }
}

void SCard(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  call.reply().Integer(holder.exists() ? static_cast<int64_t>(Set(holder).size()) : 0);
}

void SMembers(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  if (!holder.exists()) return call.reply().Set(0);
  ReplyMembers(call, Set(holder));
}

constexpr CommandSpec kTable[] = {
    {
        .name = "sismember",
        .synopsis = "key member",
        .summary = "Says whether a value is a member of a set.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = SIsMember,
    },
    {
        .name = "smismember",
        .synopsis = "key member...",
        .summary = "Says of several values whether they are members of a set.",
        .since = "6.2.0",
        .group = "set",
        .complexity = "O(N) for N values given.",
        .arity = -3,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = SMIsMember,
    },
    {
        .name = "scard",
        .synopsis = "key",
        .summary = "Returns the number of members of a set.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = SCard,
    },
    {
        .name = "smembers",
        .synopsis = "key",
        .summary = "Returns all members of a set.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(N) for a set of N members.",
        .arity = 2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .tips = "nondeterministic_output_order",
        .run = SMembers,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetMembersCommands{kTable};

}  // namespace cinnabar::commands
