// DUMP: the value of a key as bytes, which RESTORE turns into a value again, here or on another server.
#include "dispatch/call.h"
#include "persistence/dump_payload.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void Dump(Call& call) {
  keyspace::EntryRef entry = call.db().FindRead(call.key(1));
  if (!entry) return call.reply().Null();
  using persistence::Compression;
  const bool compress = call.settings().persistence.rdbcompression;
  call.reply().Bulk(persistence::DumpPayload(*entry, compress ? Compression::kLzf : Compression::kNone));
}

constexpr CommandSpec kTable[] = {{
    .name = "dump",
    .synopsis = "key",
    .summary = "Returns the value of a key in the form that RESTORE takes.",
    .since = "2.6.0",
    .group = "generic",
    .complexity = "O(N) for a value of N bytes.",
    .arity = 2,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .run = Dump,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericDumpCommands{kTable};

}  // namespace cinnabar::commands
