// Several strings at once: MGET, MSET, MSETNX.
#include <fmt/format.h>

#include "commands/string/string_reply.h"
#include "dispatch/call.h"
#include "dispatch/output_limits.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyString;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void MGet(Call& call) {
  call.reply().Array(call.argc() - 1);
  for (size_t i = 1; i < call.argc(); ++i) {
    call.Yield();
    if (!dispatch::TakesReply(call)) return;
    const EntryRef entry = call.db().FindRead(call.key(i));
    if (entry && entry->type() == types::Type::kString) {
      ReplyString(call.reply(), *entry);
    } else {
      call.reply().Null();
    }
  }
}

// Whether every key has a value; writes the error if not.
bool CheckPairs(Call& call) {
  if (call.argc() % 2 == 1) return true;
  call.reply().Error(fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
  return false;
}

void StorePairs(Call& call) {
  for (size_t i = 1; i < call.argc(); i += 2) {
    const Key key = call.key(i);
    const keyspace::Entry::Payload payload = keyspace::StringPayload(call.arg(i + 1));
    EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
    if (entry) {
      call.db().Replace(entry, payload);
      call.db().SetExpiry(key, entry, keyspace::kNever);
    } else {
      call.db().Create(key, payload);
    }
    call.Changed(kNotifyString, "set", key);
  }
}

void MSet(Call& call) {
  if (!CheckPairs(call)) return;
  StorePairs(call);
  call.reply().Ok();
}

void MSetNx(Call& call) {
  if (!CheckPairs(call)) return;
  for (size_t i = 1; i < call.argc(); i += 2) {
    if (call.db().Peek(call.key(i))) return call.reply().Integer(0);
  }
  StorePairs(call);
  call.reply().Integer(1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "mget",
        .synopsis = "key...",
        .summary = "Returns the string values of several keys at one moment; null for a key that holds none.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(N) where N is the number of keys.",
        .arity = -2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, -1)},
        .tips = "request_policy:multi_shard",
        .run = MGet,
    },
    {
        .name = "mset",
        .synopsis = "(key value)...",
        .summary = "Sets several keys to string values at one moment, whatever they held before.",
        .since = "1.0.1",
        .group = "string",
        .complexity = "O(N) where N is the number of keys.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::KeyRange(KeyUse::kOw | KeyUse::kUpdate, 1, -1, 2)},
        .tips = "request_policy:multi_shard,response_policy:all_succeeded",
        .run = MSet,
    },
    {
        .name = "msetnx",
        .synopsis = "(key value)...",
        .summary = "Sets several keys to string values at one moment, but only if none of them exists.",
        .since = "1.0.1",
        .group = "string",
        .complexity = "O(N) where N is the number of keys.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::KeyRange(KeyUse::kOw | KeyUse::kInsert, 1, -1, 2)},
        .tips = "request_policy:multi_shard,response_policy:agg_min",
        .run = MSetNx,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringManyCommands{kTable};

}  // namespace cinnabar::commands
