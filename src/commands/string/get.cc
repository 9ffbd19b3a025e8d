// GET and its relatives that read one string whole.
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

constexpr CommandSpec kTable[] = {{
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
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringGetCommands{kTable};

}  // namespace cinnabar::commands
