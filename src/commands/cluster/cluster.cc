// CLUSTER itself, and its subcommands about the node alone: HELP, MYID, MYSHARDID, BUMPEPOCH,
// SET-CONFIG-EPOCH, SAVECONFIG and RESET.
#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/cluster/machine.h"
#include "commands/help_reply.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

void MyId(Call& call, Cluster& machine) {
  call.reply().Bulk(machine.myself().id.text());
}

void MyShardId(Call& call, Cluster& machine) {
  call.reply().Bulk(machine.myself().shard.text());
}

void BumpEpoch(Call& call, Cluster& machine) {
  const bool bumped = machine.BumpEpoch();
  if (bumped && machine.save_problem()) {
    return call.reply().Error(
        fmt::format("ERR error saving the cluster node config: {}", *machine.save_problem()));
  }
  call.reply().Simple(fmt::format("{} {}", bumped ? "BUMPED" : "STILL", machine.myself().config_epoch));
}

void SetConfigEpoch(Call& call, Cluster& machine) {
  const auto epoch = ParseInt64(call.arg(2));
  if (!epoch) return call.reply().Error(errors::kNotInteger);
  if (*epoch < 0) return call.reply().Error(fmt::format("ERR Invalid config epoch specified: {}", *epoch));
  ReplyDone(call, machine.SetConfigEpoch(static_cast<cluster::Epoch>(*epoch)));
}

void SaveConfig(Call& call, Cluster& machine) {
  const Status saved = machine.SaveNow();
  if (saved) return call.reply().Ok();
  call.reply().Error(fmt::format("ERR error saving the cluster node config: {}", saved.error().message));
}

void Reset(Call& call, Cluster& machine) {
  if (call.argc() > 3) return ReplyWrongForm(call);
  const bool hard = call.argc() == 3 && SameWord(call.arg(2), "HARD");
  if (call.argc() == 3 && !hard && !SameWord(call.arg(2), "SOFT")) return call.reply().Error(errors::kSyntax);
  ReplyDone(call, machine.Reset(hard));
}

constexpr std::string_view kHelp[] = {
    "ADDSLOTS <slot> [<slot> ...]",
    "    Give slots that nobody has to this node.",
    "ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    The same for ranges of slots; both ends belong to a range.",
    "BUMPEPOCH",
    "    Take a new config epoch, unless this node's is the greatest.",
    "COUNT-FAILURE-REPORTS <node-id>",
    "    How many masters report that they cannot reach the node.",
    "COUNTKEYSINSLOT <slot>",
    "    The number of keys of the slot here.",
    "DELSLOTS <slot> [<slot> ...]",
    "    Forget who has the slots.",
    "DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    The same for ranges of slots.",
    "FAILOVER [FORCE|TAKEOVER]",
    "    Let this replica take the place of its master.",
    "FLUSHSLOTS",
    "    Take all slots from this node.",
    "FORGET <node-id>",
    "    Remove the node, and do not let it in again for a minute.",
    "GETKEYSINSLOT <slot> <count>",
    "    Names of at most so many keys of the slot here.",
    "INFO",
    "    The state of the cluster as this node sees it.",
    "KEYSLOT <key>",
    "    The slot of a key.",
    "LINKS",
    "    The connections of the bus between this node and the others.",
    "MEET <ip> <port> [<bus-port>]",
    "    Ask the node at this address to be in one cluster with this one.",
    "MYID",
    "    The id of this node.",
    "MYSHARDID",
    "    The id of the shard of this node.",
    "NODES",
    "    All nodes, one a line:",
    "    <id> <ip:port@bus-port[,hostname]> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "REPLICAS <node-id>",
    "    The replicas of a master, as NODES shows them.",
    "REPLICATE <node-id>",
    "    Make this node a replica of the master.",
    "RESET [HARD|SOFT]",
    "    Forget all other nodes (default: soft).",
    "SAVECONFIG",
    "    Write the nodes file now.",
    "SET-CONFIG-EPOCH <epoch>",
    "    Set the config epoch of a node that knows nobody yet.",
    "SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|NODE <node-id>|STABLE)",
    "    Say that a slot is on its way, or whose it is.",
    "SHARDS",
    "    Which groups of nodes serve which slots, and how they are.",
    "SLOTS",
    "    Which nodes serve which ranges of slots.",
};

void Help(Call& call) {
  if (NodeMachine(call) != nullptr) ReplyHelp(call, kHelp);
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
    Since(
        ClusterCommand("cluster|help", "", "Lists the subcommands.", 2, Flag::kLoading | Flag::kStale, Help),
        "5.0.0"),
    ClusterCommand("cluster|myid", "", "Returns the id of this node.", 2, kClusterLooks, OnNode<MyId>),
    Since(Varying(ClusterCommand("cluster|myshardid", "", "Returns the id of this node's shard.", 2,
                                 kClusterLooks, OnNode<MyShardId>)),
          "7.2.0"),
    Varying(ClusterCommand("cluster|bumpepoch", "", "Moves the configuration epoch of the cluster forward.",
                           2, kClusterChanges, OnNode<BumpEpoch>)),
    ClusterCommand("cluster|set-config-epoch", "config-epoch:integer",
                   "Sets the configuration epoch of a new node.", 3, kClusterChanges, OnNode<SetConfigEpoch>),
    ClusterCommand("cluster|saveconfig", "", "Writes the state of the cluster to its file.", 2,
                   kClusterChanges, OnNode<SaveConfig>),
    Costing(
        ClusterCommand("cluster|reset", "hard_soft:[HARD|SOFT]", "Makes this node forget the cluster.", -2,
                       kClusterAdministers | Flag::kNoScript, OnNode<Reset>),
        "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect."),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterClusterCommands{kTable};

}  // namespace cinnabar::commands
