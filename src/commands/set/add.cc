// SADD: new members. A new set is put together beside the keyspace, so that its entry is made once.
#include "commands/set/source_sets.h"
#include "types/scratch_holder.h"

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

int64_t AddAll(types::Holder& holder, std::span<const std::string_view> members,
               const types::SetLimits& limits) {
  Set set(holder);
  int64_t added = 0;
  for (std::string_view member : members) added += set.Add(member, limits);
  return added;
}

int64_t Create(Call& call, const Key& key, std::span<const std::string_view> members,
               const types::SetLimits& limits) {
  types::ScratchHolder fresh(Set::EmptyFor(members[0], limits));
  const int64_t added = AddAll(fresh, members, limits);
  if (fresh.packed()) {
    call.db().Create(key, {.type = Type::kSet, .place = keyspace::Place::kInline, .bytes = fresh.view()});
  } else {
    const auto word = reinterpret_cast<uint64_t>(fresh.TakeObject().release());
    call.db().Create(key, {.type = Type::kSet, .place = keyspace::Place::kObject, .word = word});
  }
  return added;
}

void SAdd(Call& call) {
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, Type::kSet, holder)) return;
  const auto members = call.argv().subspan(2);
  const types::SetLimits limits = SetLimitsOf(call);
  const int64_t added =
      holder.exists() ? AddAll(holder, members, limits) : Create(call, key, members, limits);
  if (added > 0) {
    call.Changed(config::kNotifySet, "sadd", key);
    call.MarkDirty(static_cast<uint64_t>(added) - 1);
  }
  call.reply().Integer(added);
}

constexpr CommandSpec kTable[] = {{
    .name = "sadd",
    .synopsis = "key member...",
    .summary = "Adds members to a set, which is made if there is none, and says how many are new.",
    .since = "1.0.0",
    .group = "set",
    .complexity = "O(N) for N members given.",
    .arity = -3,
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
    .history = "2.4.0: Accepts several members.",
    .run = SAdd,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetAddCommands{kTable};

}  // namespace cinnabar::commands
