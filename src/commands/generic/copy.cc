// COPY and MOVE: a value into another key or database. A key's shard is the same in every database, so that
// the key specifications lock both sides.
#include "commands/generic/database_index.h"
#include "commands/generic/removal.h"
#include "keyspace/access_clock.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Database;
using keyspace::Entry;
using keyspace::EntryRef;
using keyspace::Key;
using keyspace::Use;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct CopyOptions {
  int database;
  bool replace = false;
};

CopyOptions ParseOptions(Args& args, Call& call) {
  CopyOptions options{.database = call.db().index()};
  while (args.more() && !args.failed()) {
    if (args.Take("REPLACE")) {
      options.replace = true;
    } else if (args.TakeWith("DB")) {
      options.database = TakeDatabaseIndex(args, call);
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

void Copy(Call& call) {
  Args args(call, 3);
  const CopyOptions options = ParseOptions(args, call);
  if (options.database != 0 && call.settings().cluster.enabled)
    args.Fail("ERR Copying to another database is not allowed in cluster mode");
  const Key from = call.key(1);
  const Key to = call.key(2);
  if (options.database == call.db().index() && from.bytes == to.bytes) args.Fail(errors::kSameObject);
  if (args.failed()) return args.Reply(call);
  EntryRef source = call.db().FindRead(from);
  if (!source) return call.reply().Integer(0);
  Database target = call.database(options.database);
  // Copied before anything is removed: that may move the source in its table.
  const Entry* original = source.get();
  if (EntryRef old = target.FindToChange(to, Use::kSilent)) {
    if (!options.replace) return call.reply().Integer(0);
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, target, to, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  }
  Entry* copy = Entry::Clone(*original, to.bytes);
  copy->set_clock(keyspace::FreshClock(call.now(), call.core().access));
  target.Insert(to, copy);
  call.ChangedIn(target, config::kNotifyGeneric, "copy_to", to);
  call.reply().Integer(1);
}

void Move(Call& call) {
  if (call.settings().cluster.enabled) return call.reply().Error("ERR MOVE is not allowed in cluster mode");
  Args args(call, 2);
  const int index = TakeDatabaseIndex(args, call);
  if (index == call.db().index()) args.Fail(errors::kSameObject);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  Database target = call.database(index);
  EntryRef source = call.db().FindToChange(key);
  if (!source || target.FindToChange(key)) return call.reply().Integer(0);
  target.Insert(key, call.db().Take(key, source));
  call.Changed(config::kNotifyGeneric, "move_from", key);
  call.ChangedIn(target, config::kNotifyGeneric, "move_to", key);
  call.reply().Integer(1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "copy",
        .synopsis = "source destination [DB:integer destination-db] [REPLACE]",
        .summary = "Copies the value of a key, with its expiry, to another key or database.",
        .since = "6.2.0",
        .group = "generic",
        .complexity = "O(1) for strings; O(N) for a collection of N elements.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess, 1),
                 dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate, 2)},
        .run = Copy,
    },
    {
        .name = "move",
        .synopsis = "key db:integer",
        .summary = "Moves a key to another database, unless a key of that name is there.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate)},
        .run = Move,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericCopyCommands{kTable};

}  // namespace cinnabar::commands
