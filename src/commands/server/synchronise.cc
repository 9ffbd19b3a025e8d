// REPLCONF, PSYNC and SYNC: what replicas send. No client sends them; COMMAND DOCS shows them for what they
// are.
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void ReplConf(Call& call) {
  call.services().replication->Configure(call.session(), call.argv());
}

void Synchronise(Call& call) {
  call.services().replication->Synchronise(call.session(), call.argv());
}

constexpr CommandSpec kTable[] = {
    {
        .name = "replconf",
        .synopsis = "",
        .summary = "What a replica and its master tell each other about the stream.",
        .since = "3.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = -1,
        .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kAllowBusy,
        .for_system_only = true,
        .run = ReplConf,
    },
    {
        .name = "psync",
        .synopsis = "replicationid offset:integer",
        .summary = "What a replica begins with: it goes on from an offset, or gets everything.",
        .since = "2.8.0",
        .group = "server",
        .arity = -3,
        .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoMulti | Flag::kNoAsyncLoading | Flag::kWorld,
        .for_system_only = true,
        .run = Synchronise,
    },
    {
        .name = "sync",
        .synopsis = "",
        .summary = "What a replica of old began with: it gets everything.",
        .since = "1.0.0",
        .group = "server",
        .arity = 1,
        .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoMulti | Flag::kNoAsyncLoading | Flag::kWorld,
        .for_system_only = true,
        .run = Synchronise,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerSynchroniseCommands{kTable};

}  // namespace cinnabar::commands
