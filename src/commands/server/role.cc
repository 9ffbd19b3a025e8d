// ROLE, REPLICAOF and SLAVEOF, as a server without replication answers them.
#include "base/numbers.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

void Role(Call& call) {
  call.reply().Array(3);
  call.reply().Bulk("master");
  call.reply().Integer(0);
  call.reply().Array(0);
}

void ReplicaOf(Call& call) {
  if (SameWord(call.arg(1), "NO") && SameWord(call.arg(2), "ONE")) return call.reply().Ok();
  const auto port = ParseInt64(call.arg(2));
  if (!port || *port < 0 || *port > 65535) return call.reply().Error("ERR Invalid master port");
  call.reply().Error("ERR replication is not part of this server yet: it cannot follow a master");
}

constexpr uint64_t kReplicaOfFlags = Flag::kAdmin | Flag::kNoScript | Flag::kStale | Flag::kNoAsyncLoading;
constexpr std::string_view kTarget = "args:(host-port:(host port:integer)|no-one:(NO ONE))";

constexpr CommandSpec kTable[] = {
    {
        .name = "role",
        .synopsis = "",
        .summary = "Returns the server's role in replication.",
        .since = "2.8.12",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kSentinel,
        .categories = "admin,dangerous",
        .run = Role,
    },
    {
        .name = "replicaof",
        .synopsis = kTarget,
        .summary = "Makes the server follow a master, or makes it a master.",
        .since = "5.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kReplicaOfFlags,
        .run = ReplicaOf,
    },
    {
        .name = "slaveof",
        .synopsis = kTarget,
        .summary = "The old name of REPLICAOF.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kReplicaOfFlags,
        .replaced_by = "`REPLICAOF`",
        .deprecated_since = "5.0.0",
        .run = ReplicaOf,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerRoleCommands{kTable};

}  // namespace cinnabar::commands
