// HGETALL, HKEYS, HVALS.
#include "commands/hash/hash_access.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using types::Hash;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void HGetAll(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists()) return reply.Map(0);
  Hash hash(holder, FieldClock(call));
  reply.Map(hash.size());
  hash.ForEach([&](const Hash::Element& field, const Hash::Element& value, Millis) {
    ReplyElement(reply, field);
    ReplyElement(reply, value);
    call.Yield();
  });
}

void HKeys(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists()) return reply.Array(0);
  Hash hash(holder, FieldClock(call));
  reply.Array(hash.size());
  hash.ForEach([&](const Hash::Element& field, const Hash::Element&, Millis) {
    ReplyElement(reply, field);
    call.Yield();
  });
}

void HVals(Call& call) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists()) return reply.Array(0);
  Hash hash(holder, FieldClock(call));
  reply.Array(hash.size());
  hash.ForEach([&](const Hash::Element&, const Hash::Element& value, Millis) {
    ReplyElement(reply, value);
    call.Yield();
  });
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key",
          .summary = summary,
          .since = "2.0.0",
          .group = "hash",
          .complexity = "O(N) for a hash of N fields.",
          .arity = 2,
          .flags = Flag::kReadOnly,
          .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
          .tips = "nondeterministic_output_order",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("hgetall", "Returns all fields of a hash with their values.", HGetAll),
    Spec("hkeys", "Returns the names of all fields of a hash.", HKeys),
    Spec("hvals", "Returns the values of all fields of a hash.", HVals),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashGetAllCommands{kTable};

}  // namespace cinnabar::commands
