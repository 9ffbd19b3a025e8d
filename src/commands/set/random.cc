// SRANDMEMBER and SPOP: members by chance. The journal gets what chance decided: SREM of the members that
// went, or DEL of the whole set.
#include <limits>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/set/source_sets.h"
#include "dispatch/output_limits.h"
#include "journal/journal.h"

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

void SRandMemberMany(Call& call, int64_t count) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists() || count == 0) return reply.Array(0);
  const Set set(holder);
  auto write = [&](std::string_view member) {
    reply.Bulk(member);
    call.Yield();
  };
  if (count < 0) {
    const auto draws = static_cast<uint64_t>(-count);
    reply.Array(draws);
    return set.Draw(draws, call.core().random, [&](std::string_view member) {
      call.Yield();
      if (!dispatch::TakesReply(call)) return false;
      reply.Bulk(member);
      return true;
    });
  }
  const uint64_t distinct = std::min(static_cast<uint64_t>(count), set.size());
  reply.Array(distinct);
  if (distinct == set.size()) return set.ForEach(write);
  set.DrawDistinct(distinct, call.core().random, write);
}

void SRandMember(Call& call) {
  if (call.argc() > 3) return call.reply().Error(errors::kSyntax);
  if (call.argc() == 3) {
    const auto count = ParseInt64(call.arg(2));
    if (!count) return call.reply().Error(errors::kNotInteger);
    if (*count == std::numeric_limits<int64_t>::min()) {
      return call.reply().Error(
          "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    }
    return SRandMemberMany(call, *count);
  }
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  if (!holder.exists()) return call.reply().Null();
  Set(holder).Draw(1, call.core().random, [&](std::string_view member) { call.reply().Bulk(member); });
}

// Takes `count` members out of a set that has more, or exactly one that may be the last.
void PopSome(Call& call, const Key& key, EntryHolder& holder, uint64_t count) {
  constexpr size_t kRecordMembers = 1024;  // of one SREM in the journal
  const bool recorded = call.services().journal.active();
  Set set(holder);
  std::vector<std::string> gone;
  auto record = [&] {
    std::vector<std::string_view> effect = {"SREM", key.bytes};
    effect.insert(effect.end(), gone.begin(), gone.end());
    call.Propagate(effect);
    gone.clear();
  };
  for (uint64_t i = 0; i < count; ++i) {
    set.Pop(call.core().random, [&](std::string_view member) {
      call.reply().Bulk(member);
      if (recorded) gone.emplace_back(member);
    });
    if (gone.size() == kRecordMembers) record();
  }
  if (!gone.empty()) record();
  call.Changed(config::kNotifySet, "spop", key);
  call.MarkDirty(count - 1);
  if (set.size() == 0) DropCollection(call, key, holder);
}

void PopAll(Call& call, const Key& key, EntryHolder& holder) {
  const Set set(holder);
  set.ForEach([&](std::string_view member) {
    call.reply().Bulk(member);
    call.Yield();
  });
  call.Changed(config::kNotifySet, "spop", key);
  call.MarkDirty(set.size() - 1);
  DropCollection(call, key, holder);
  call.Propagate({call.settings().memory.lazyfree_lazy_server_del ? "UNLINK" : "DEL", key.bytes});
}

void SPopMany(Call& call) {
  const auto count = ParseInt64(call.arg(2));
  if (!count || *count < 0) return call.reply().Error(errors::kMustBePositive);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, Type::kSet, holder)) return;
  if (!holder.exists() || *count == 0) return call.reply().Set(0);
  const size_t size = Set(holder).size();
  const uint64_t taken = std::min(static_cast<uint64_t>(*count), size);
  call.reply().Set(taken);
  if (taken == size) return PopAll(call, key, holder);
  PopSome(call, key, holder, taken);
}

void SPop(Call& call) {
  if (call.argc() > 3) return call.reply().Error(errors::kSyntax);
  if (call.argc() == 3) return SPopMany(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenToWrite(call, key, Type::kSet, holder)) return;
  if (!holder.exists()) return call.reply().Null();
  PopSome(call, key, holder, 1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "spop",
        .synopsis = "key [count:integer]@3.2.0",
        .summary = "Removes members that chance chooses from a set and returns them.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(1) for one member, O(N) for a count of N.",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete)},
        .tips = "nondeterministic_output",
        .history = "3.2.0: Added the `count` argument.",
        .run = SPop,
    },
    {
        .name = "srandmember",
        .synopsis = "key [count:integer]@2.6.0",
        .summary =
            "Returns members of a set that chance chooses: different ones, or with a negative count any.",
        .since = "1.0.0",
        .group = "set",
        .complexity = "O(1) for one member, O(N) for a count whose absolute value is N.",
        .arity = -2,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .tips = "nondeterministic_output",
        .history = "2.6.0: Added the optional `count` argument.",
        .run = SRandMember,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetRandomCommands{kTable};

}  // namespace cinnabar::commands
