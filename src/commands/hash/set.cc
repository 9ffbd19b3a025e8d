// HSET, HMSET, HSETNX.
#include <fmt/format.h>

#include "commands/hash/hash_access.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyHash;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Hash;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// The number of new fields; negative when the call was refused and answered.
int64_t Store(Call& call) {
  if (call.argc() % 2 != 0) {
    call.reply().Error(fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
    return -1;
  }
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return -1;
  const auto pairs = call.argv().subspan(2);
  const int64_t created = StorePairs(call, key, holder, pairs);
  call.Changed(kNotifyHash, "hset", key);
  call.MarkDirty(pairs.size() / 2 - 1);
  return created;
}

void HSet(Call& call) {
  const int64_t created = Store(call);
  if (created >= 0) call.reply().Integer(created);
}

void HMSet(Call& call) {
  if (Store(call) >= 0) call.reply().Ok();
}

void HSetNx(Call& call) {
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  if (holder.exists()) {
    Hash hash(holder, FieldClock(call));
    const Hash::Spot spot = FindToStore(call, key, hash, call.arg(2));
    if (spot.found) return call.reply().Integer(0);
    hash.Store(spot, call.arg(2), call.arg(3), HashLimits(call));
  } else {
    StorePairs(call, key, holder, call.argv().subspan(2));
  }
  call.Changed(kNotifyHash, "hset", key);
  call.reply().Integer(1);
}

constexpr uint64_t kFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;

constexpr CommandSpec kTable[] = {
    {
        .name = "hset",
        .synopsis = "key (field value)...",
        .summary = "Sets fields of a hash to values, and makes the hash if there is none.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(1) for each pair of field and value.",
        .arity = -4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .history = "4.0.0: Accepts multiple `field` and `value` arguments.",
        .run = HSet,
    },
    {
        .name = "hsetnx",
        .synopsis = "key field value",
        .summary = "Sets a field of a hash only if the field does not exist.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(1)",
        .arity = 4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
        .run = HSetNx,
    },
    {
        .name = "hmset",
        .synopsis = "key (field value)...",
        .summary = "Sets fields of a hash to values.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -4,
        .flags = kFlags,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .replaced_by = "`HSET` with multiple field-value pairs",
        .deprecated_since = "4.0.0",
        .run = HMSet,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashSetCommands{kTable};

}  // namespace cinnabar::commands
