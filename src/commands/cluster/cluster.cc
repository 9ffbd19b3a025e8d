// CLUSTER as clients meet it on a server that is no cluster node: they ask, and learn that it is not.
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Disabled(Call& call) {
  call.reply().Error("ERR This instance has cluster support disabled");
}

constexpr CommandSpec kTable[] = {
    {
        .name = "cluster",
        .summary = "A container for the commands of cluster nodes.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "cluster|help",
        .summary = "Lists the subcommands.",
        .since = "5.0.0",
        .group = "cluster",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Disabled,
    },
    {
        .name = "cluster|info",
        .summary = "Returns the state of the cluster as this node sees it.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kStale,
        .tips = "nondeterministic_output",
        .run = Disabled,
    },
    {
        .name = "cluster|keyslot",
        .synopsis = "key:string",
        .summary = "Returns the hash slot of a key.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "O(N) where N is the number of bytes in the key",
        .arity = 3,
        .flags = Flag::kStale,
        .run = Disabled,
    },
    {
        .name = "cluster|myid",
        .summary = "Returns the id of this node.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kStale,
        .run = Disabled,
    },
    {
        .name = "cluster|nodes",
        .summary = "Returns the nodes of the cluster, one on each line.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "O(N) where N is the total number of Cluster nodes",
        .arity = 2,
        .flags = Flag::kStale,
        .tips = "nondeterministic_output",
        .run = Disabled,
    },
    {
        .name = "cluster|shards",
        .summary = "Returns which slots are served by which groups of nodes.",
        .since = "7.0.0",
        .group = "cluster",
        .complexity = "O(N) where N is the total number of cluster nodes",
        .arity = 2,
        .flags = Flag::kStale,
        .tips = "nondeterministic_output",
        .run = Disabled,
    },
    {
        .name = "cluster|slots",
        .summary = "Returns which slots are served by which nodes.",
        .since = "3.0.0",
        .group = "cluster",
        .complexity = "O(N) where N is the total number of Cluster nodes",
        .arity = 2,
        .flags = Flag::kStale,
        .tips = "nondeterministic_output",
        .history = "4.0.0: Added node IDs.|7.0.0: Added additional networking metadata field.",
        .replaced_by = "`CLUSTER SHARDS`",
        .deprecated_since = "7.0.0",
        .run = Disabled,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterClusterCommands{kTable};

}  // namespace cinnabar::commands
