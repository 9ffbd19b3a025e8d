// EXISTS, TOUCH and TYPE: what is there.
#include "commands/generic/lookup.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Exists(Call& call) {
  int64_t count = 0;
  for (size_t i = 1; i < call.argc(); ++i) count += Inspect(call, call.key(i)) ? 1 : 0;
  call.reply().Integer(count);
}

void Touch(Call& call) {
  int64_t count = 0;
  for (size_t i = 1; i < call.argc(); ++i) count += call.db().FindRead(call.key(i)) ? 1 : 0;
  call.reply().Integer(count);
}

void Type(Call& call) {
  EntryRef entry = Inspect(call, call.key(1));
  call.reply().Simple(entry ? types::TypeName(entry->type()) : "none");
}

constexpr CommandSpec kTable[] = {
    {
        .name = "exists",
        .synopsis = "key...",
        .summary = "Counts how many of the given keys exist; a key given twice counts twice.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(N) for N keys.",
        .arity = -2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::KeyRange(KeyUse::kRo, 1, -1)},
        .tips = "request_policy:multi_shard,response_policy:agg_sum",
        .history = "3.0.3: Accepts multiple `key` arguments.",
        .run = Exists,
    },
    {
        .name = "touch",
        .synopsis = "key...",
        .summary = "Counts how many of the given keys exist and marks them as used just now.",
        .since = "3.2.1",
        .group = "generic",
        .complexity = "O(N) for N keys.",
        .arity = -2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::KeyRange(KeyUse::kRo, 1, -1)},
        .tips = "request_policy:multi_shard,response_policy:agg_sum",
        .run = Touch,
    },
    {
        .name = "type",
        .synopsis = "key",
        .summary = "Returns the type of the value of a key, or none.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = Type,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericExistsCommands{kTable};

}  // namespace cinnabar::commands
