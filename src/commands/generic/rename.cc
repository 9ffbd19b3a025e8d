// RENAME and RENAMENX.
#include "catalog/errors.h"
#include "commands/generic/removal.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Entry;
using keyspace::EntryRef;
using keyspace::Key;
using keyspace::Use;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// Moves the value under the new name, with its expiry. REQUIRES: the source exists.
void Move(Call& call, const Key& from, const Key& to) {
  keyspace::Database& database = call.db();
  if (EntryRef old = database.FindToChange(to, Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, database, to, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  }
  // Looked up anew: removing the other key may have moved it.
  Entry* entry = database.Take(from, database.FindToChange(from, Use::kSilent));
  database.Insert(to, Entry::Rename(entry, to.bytes));
  call.Changed(config::kNotifyGeneric, "rename_from", from);
  call.Changed(config::kNotifyGeneric, "rename_to", to);
}

void Rename(Call& call) {
  const Key from = call.key(1);
  const Key to = call.key(2);
  if (!call.db().FindToChange(from)) return call.reply().Error(errors::kNoSuchKey);
  if (from.bytes != to.bytes) Move(call, from, to);
  call.reply().Ok();
}

void RenameNx(Call& call) {
  const Key from = call.key(1);
  const Key to = call.key(2);
  if (!call.db().FindToChange(from)) return call.reply().Error(errors::kNoSuchKey);
  if (from.bytes == to.bytes || call.db().FindToChange(to)) return call.reply().Integer(0);
  Move(call, from, to);
  call.reply().Integer(1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "rename",
        .synopsis = "key newkey:key",
        .summary = "Gives a key another name, in place of whatever has that name.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(1), beyond removing a value that had the new name.",
        .arity = 3,
        .flags = Flag::kWrite,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete, 1),
                 dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 2)},
        .run = Rename,
    },
    {
        .name = "renamenx",
        .synopsis = "key newkey:key",
        .summary = "Gives a key another name if no key has that name.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete, 1),
                 dispatch::OneKey(KeyUse::kOw | KeyUse::kInsert, 2)},
        .history =
            "3.2.0: The command no longer returns an error when source and destination names are the same.",
        .run = RenameNx,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericRenameCommands{kTable};

}  // namespace cinnabar::commands
