// Reading a string and deciding on its life at once: GETEX, GETDEL.
#include "base/numbers.h"
#include "commands/expiry_option.h"
#include "commands/generic/removal.h"
#include "commands/string/string_reply.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

using config::kNotifyGeneric;

void Delete(Call& call, const Key& key, EntryRef entry) {
  const bool lazy = call.settings().memory.lazyfree_lazy_expire;
  Remove(call, call.db(), key, entry, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  call.Changed(kNotifyGeneric, "del", key);
  call.Propagate({"DEL", key.bytes});
}

// The journal needs only what became of the expiry.
void ApplyExpiry(Call& call, const Key& key, EntryRef& entry, const ExpiryOption& expiry) {
  if (expiry.kind == ExpiryOption::Kind::kPersist) {
    if (!entry->has_expiry()) return;
    call.db().SetExpiry(key, entry, keyspace::kNever);
    call.Changed(kNotifyGeneric, "persist", key);
    call.Propagate({"PERSIST", key.bytes});
  } else if (expiry.given() && expiry.at <= call.now() && !call.core().replaying) {
    Delete(call, key, entry);
  } else if (expiry.given()) {
    call.db().SetExpiry(key, entry, expiry.at);
    call.Changed(kNotifyGeneric, "expire", key);
    call.Propagate({"PEXPIREAT", key.bytes, Int64ToString(expiry.at)});
  }
}

void GetEx(Call& call) {
  Args args(call, 2);
  ExpiryOption expiry;
  while (args.more() && !args.failed()) {
    if (!expiry.Parse(args, ExpiryOption::Accepts::kPersist)) args.FailSyntax();
  }
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToReadAndChange(key);
  if (!entry) return call.reply().Null();
  if (!call.Expect(entry, types::Type::kString)) return;
  expiry.Resolve(args, call.now());
  if (args.failed()) return args.Reply(call);
  ReplyString(call.reply(), *entry);
  ApplyExpiry(call, key, entry, expiry);
}

void GetDel(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToReadAndChange(key);
  if (!call.Expect(entry, types::Type::kString)) return;
  ReplyStringOrNull(call.reply(), entry);
  if (entry) Delete(call, key, entry);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "getex",
        .synopsis =
            "key expiration:[EX:integer seconds|PX:integer milliseconds|EXAT:unix-time unix-time-seconds|"
            "PXAT:unix-time unix-time-milliseconds|PERSIST]",
        .summary = "Returns the string value of a key and sets or removes the time when the key expires.",
        .since = "6.2.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {{.use = KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate,
                  .first = 1,
                  .notes = "RW and UPDATE because it changes the TTL"}},
        .run = GetEx,
    },
    {
        .name = "getdel",
        .synopsis = "key",
        .summary = "Returns the string value of a key and deletes the key.",
        .since = "6.2.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete)},
        .run = GetDel,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringGetexCommands{kTable};

}  // namespace cinnabar::commands
