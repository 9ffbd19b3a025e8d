// HGET, HMGET, HSTRLEN, HEXISTS, HLEN.
#include "commands/hash/hash_access.h"
#include "dispatch/output_limits.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using types::Hash;
using types::Type;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void HGet(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kHash, holder)) return;
  if (!holder.exists()) return call.reply().Null();
  const Hash::Spot spot = Hash(holder, FieldClock(call)).Find(call.arg(2));
  if (!spot.found) return call.reply().Null();
  ReplyElement(call.reply(), spot.value);
}

void HMGet(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kHash, holder)) return;
  call.reply().Array(call.argc() - 2);
  for (std::string_view field : call.argv().subspan(2)) {
    call.Yield();
    if (!dispatch::TakesReply(call)) return;
    const Hash::Spot spot = holder.exists() ? Hash(holder, FieldClock(call)).Find(field) : Hash::Spot();
    if (spot.found) {
      ReplyElement(call.reply(), spot.value);
    } else {
      call.reply().Null();
    }
  }
}

void HStrLen(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kHash, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  const Hash::Spot spot = Hash(holder, FieldClock(call)).Find(call.arg(2));
  listpack::Digits digits;
  call.reply().Integer(spot.found ? static_cast<int64_t>(spot.value.Text(digits).size()) : 0);
}

void HExists(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kHash, holder)) return;
  call.reply().Integer(holder.exists() && Hash(holder, FieldClock(call)).Find(call.arg(2)).found ? 1 : 0);
}

void HLen(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kHash, holder)) return;
  call.reply().Integer(holder.exists() ? static_cast<int64_t>(Hash(holder, FieldClock(call)).size()) : 0);
}

constexpr uint64_t kFlags = Flag::kReadOnly | Flag::kFast;
constexpr dispatch::KeySpec kRead = dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess);
constexpr dispatch::KeySpec kLook = dispatch::OneKey(KeyUse::kRo);

constexpr CommandSpec kTable[] = {
    {
        .name = "hget",
        .synopsis = "key field",
        .summary = "Returns the value of a field of a hash.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kRead},
        .run = HGet,
    },
    {
        .name = "hmget",
        .synopsis = "key field...",
        .summary = "Returns the values of fields of a hash.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -3,
        .flags = kFlags,
        .keys = {kRead},
        .run = HMGet,
    },
    {
        .name = "hstrlen",
        .synopsis = "key field",
        .summary = "Returns the length in bytes of the value of a field.",
        .since = "3.2.0",
        .group = "hash",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kLook},
        .run = HStrLen,
    },
    {
        .name = "hexists",
        .synopsis = "key field",
        .summary = "Tells whether a hash has a field.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kFlags,
        .keys = {kLook},
        .run = HExists,
    },
    {
        .name = "hlen",
        .synopsis = "key",
        .summary =
            "Returns the number of fields in a hash. Unlike in Redis, fields that have expired never count.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .keys = {kLook},
        .run = HLen,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashGetCommands{kTable};

}  // namespace cinnabar::commands
