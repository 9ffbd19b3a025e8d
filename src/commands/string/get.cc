// GET and STRLEN.
#include "commands/string/string_reply.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Get(Call& call) {
  keyspace::EntryRef entry = call.db().FindRead(call.key(1));
  if (!entry) return call.reply().Null();
  if (!call.Expect(entry, types::Type::kString)) return;
  ReplyString(call.reply(), *entry);
}

void StrLen(Call& call) {
  keyspace::EntryRef entry = call.db().FindRead(call.key(1));
  if (!call.Expect(entry, types::Type::kString)) return;
  call.reply().Integer(entry ? static_cast<int64_t>(keyspace::StringLength(*entry)) : 0);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "get",
        .synopsis = "key",
        .summary = "Returns the string value of a key.",
        .since = "1.0.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .run = Get,
    },
    {
        .name = "strlen",
        .synopsis = "key",
        .summary = "Returns the length in bytes of a string.",
        .since = "2.2.0",
        .group = "string",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = StrLen,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringGetCommands{kTable};

}  // namespace cinnabar::commands
