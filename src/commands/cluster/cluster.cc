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

// What only cluster nodes do.
constexpr uint64_t kLooks = Flag::kStale;
constexpr uint64_t kAdministers = Flag::kAdmin | Flag::kStale;
constexpr uint64_t kChanges = kAdministers | Flag::kNoAsyncLoading;

constexpr CommandSpec OfNode(std::string_view name, std::string_view synopsis, std::string_view summary,
                             int arity, uint64_t flags, std::string_view since = "3.0.0",
                             std::string_view tips = {}) {
  CommandSpec spec{
      .name = name, .synopsis = synopsis, .summary = summary, .since = since, .group = "cluster"};
  spec.complexity = "O(1)";
  spec.arity = arity;
  spec.flags = flags;
  spec.tips = tips;
  spec.run = Disabled;
  return spec;
}

constexpr CommandSpec Replaced(CommandSpec spec, std::string_view by, std::string_view since) {
  spec.replaced_by = by;
  spec.deprecated_since = since;
  return spec;
}

constexpr std::string_view kVaries = "nondeterministic_output";

constexpr CommandSpec kTable[] = {
    OfNode("cluster|addslots", "(slot:integer)...", "Gives hash slots to this node.", -3, kChanges),
    OfNode("cluster|addslotsrange", "(start-slot:integer end-slot:integer)...",
           "Gives ranges of hash slots to this node.", -4, kChanges, "7.0.0"),
    OfNode("cluster|bumpepoch", "", "Moves the configuration epoch of the cluster forward.", 2, kChanges,
           "3.0.0", kVaries),
    OfNode("cluster|count-failure-reports", "node-id", "Returns how many nodes report that a node fails.", 3,
           kAdministers, "3.0.0", kVaries),
    OfNode("cluster|countkeysinslot", "slot:integer", "Returns the number of keys in a hash slot.", 3,
           kLooks),
    OfNode("cluster|delslots", "(slot:integer)...", "Takes hash slots from this node.", -3, kChanges),
    OfNode("cluster|delslotsrange", "(start-slot:integer end-slot:integer)...",
           "Takes ranges of hash slots from this node.", -4, kChanges, "7.0.0"),
    OfNode("cluster|failover", "options:[FORCE|TAKEOVER]", "Makes a replica take the place of its master.",
           -2, kChanges),
    OfNode("cluster|flushslots", "", "Takes all hash slots from this node.", 2, kChanges),
    OfNode("cluster|forget", "node-id", "Removes a node from the table of nodes.", 3, kChanges),
    OfNode("cluster|getkeysinslot", "slot:integer count:integer", "Returns names of keys in a hash slot.", 4,
           kLooks, "3.0.0", kVaries),
    OfNode("cluster|links", "", "Returns the links between this node and the others.", 2, kLooks, "7.0.0",
           kVaries),
    OfNode("cluster|meet", "ip port:integer [cluster_bus_port:integer]@4.0.0", "Joins another node.", -4,
           kChanges),
    OfNode("cluster|myshardid", "", "Returns the id of this node's shard.", 2, kLooks, "7.2.0", kVaries),
    OfNode("cluster|replicas", "node-id", "Returns the replicas of a master.", 3, kAdministers, "5.0.0",
           kVaries),
    OfNode("cluster|replicate", "node-id", "Makes this node a replica of another.", 3, kChanges),
    OfNode("cluster|reset", "hard_soft:[HARD|SOFT]", "Makes this node forget the cluster.", -2,
           kAdministers | Flag::kNoScript),
    OfNode("cluster|saveconfig", "", "Writes the state of the cluster to its file.", 2, kChanges),
    OfNode("cluster|set-config-epoch", "config-epoch:integer", "Sets the configuration epoch of a new node.",
           3, kChanges),
    OfNode("cluster|setslot",
           "slot:integer subcommand:(IMPORTING:string node-id|MIGRATING:string node-id|NODE:string "
           "node-id|STABLE)",
           "Says where a hash slot is, or is going.", -4, kChanges),
    Replaced(OfNode("cluster|slaves", "node-id", "Returns the replicas of a master.", 3, kAdministers,
                    "3.0.0", kVaries),
             "`CLUSTER REPLICAS`", "5.0.0"),
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
