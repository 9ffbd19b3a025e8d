// HDEL; HGETDEL, which answers what it deletes.
#include <vector>

#include "commands/hash/field_list.h"
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

void HDel(Call& call) {
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  if (!holder.exists()) return call.reply().Integer(0);
  Hash hash(holder, FieldClock(call));
  int64_t deleted = 0;
  for (std::string_view field : call.argv().subspan(2)) {
    deleted += hash.Erase(field);
    if (hash.empty()) break;
  }
  if (deleted > 0) {
    call.Changed(kNotifyHash, "hdel", key);
    call.MarkDirty(static_cast<uint64_t>(deleted) - 1);
    DropIfEmpty(call, key, holder);
  }
  call.reply().Integer(deleted);
}

void HGetDel(Call& call) {
  dispatch::Args args(call, 2);
  const FieldList fields = TakeFields(call, args, kPositiveFields);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  if (!holder.exists()) return ReplyNulls(call.reply(), fields.size());
  Hash hash(holder, FieldClock(call));
  call.reply().Array(fields.size());
  std::vector<std::string_view> deleted;
  for (std::string_view field : fields) {
    const Hash::Spot spot = hash.Find(field);
    if (!spot.found) {
      call.reply().Null();
      continue;
    }
    ReplyElement(call.reply(), spot.value);
    hash.Erase(spot);
    deleted.push_back(field);
  }
  if (deleted.empty()) return;
  call.Changed(kNotifyHash, "hdel", key);
  call.MarkDirty(deleted.size() - 1);
  PropagateDeletion(call, key.bytes, deleted);
  DropIfEmpty(call, key, holder);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "hdel",
        .synopsis = "key field...",
        .summary = "Deletes fields of a hash, and the hash with its last field.",
        .since = "2.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .history = "2.4.0: Accepts multiple `field` arguments.",
        .run = HDel,
    },
    {
        .name = "hgetdel",
        .synopsis = "key fields:(FIELDS numfields:integer field...)",
        .summary = "Returns the values of fields of a hash and deletes the fields.",
        .since = "8.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete)},
        .run = HGetDel,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashDeleteCommands{kTable};

}  // namespace cinnabar::commands
