// CLUSTER MEET, FORGET, REPLICATE and FAILOVER: who is in the cluster, and who follows whom.
#include <fmt/format.h>

#include <string>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/cluster/machine.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;

// Where the bus of a node is if nobody says so.
constexpr int64_t kBusPortDistance = 10000;
constexpr int64_t kPortMax = 65535;

bool IsPort(int64_t port) {
  return port > 0 && port <= kPortMax;
}

void Meet(Call& call, Cluster& machine) {
  if (call.argc() > 5) return ReplyWrongForm(call);
  const bool newer = call.settings().general.compat_version != config::CompatVersion::k70;
  const auto port = ParseInt64(call.arg(3));
  if (!port) {
    return call.reply().Error(
        fmt::format("ERR Invalid {}base port specified: {}", newer ? "" : "TCP ", call.arg(3)));
  }
  auto bus_port = std::optional(*port + kBusPortDistance);
  if (call.argc() == 5) bus_port = ParseInt64(call.arg(4));
  if (!bus_port) {
    return call.reply().Error(
        fmt::format("ERR Invalid {}bus port specified: {}", newer ? "" : "TCP ", call.arg(4)));
  }
  if (!IsPort(*port) || !IsPort(*bus_port)) {
    return call.reply().Error(
        fmt::format("ERR Invalid node address specified: {}:{}", call.arg(2), call.arg(3)));
  }
  ReplyDone(call,
            machine.Meet(std::string(call.arg(2)), static_cast<int>(*port), static_cast<int>(*bus_port)));
}

void Forget(Call& call, Cluster& machine) {
  ReplyDone(call, machine.Forget(call.arg(2)));
}

void Replicate(Call& call, Cluster& machine) {
  ReplyDone(call, machine.Replicate(call.arg(2)));
}

void Failover(Call& call, Cluster& machine) {
  if (call.argc() > 3) return ReplyWrongForm(call);
  auto kind = Cluster::FailoverKind::kOrderly;
  if (call.argc() == 3) {
    if (SameWord(call.arg(2), "FORCE")) {
      kind = Cluster::FailoverKind::kForced;
    } else if (SameWord(call.arg(2), "TAKEOVER")) {
      kind = Cluster::FailoverKind::kTakeover;
    } else {
      return call.reply().Error(errors::kSyntax);
    }
  }
  ReplyDone(call, machine.Failover(kind));
}

constexpr CommandSpec MeetCommand() {
  CommandSpec spec = ClusterCommand("cluster|meet", "ip port:integer [cluster_bus_port:integer]@4.0.0",
                                    "Joins another node.", -4, kClusterChanges, OnNode<Meet>);
  spec.history = "4.0.0: Added the optional `cluster_bus_port` argument.";
  return spec;
}

constexpr CommandSpec kTable[] = {
    MeetCommand(),
    ClusterCommand("cluster|forget", "node-id", "Removes a node from the table of nodes.", 3, kClusterChanges,
                   OnNode<Forget>),
    ClusterCommand("cluster|replicate", "node-id", "Makes this node a replica of another.", 3,
                   kClusterChanges, OnNode<Replicate>),
    ClusterCommand("cluster|failover", "options:[FORCE|TAKEOVER]",
                   "Makes a replica take the place of its master.", -2, kClusterChanges, OnNode<Failover>),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterMembershipCommands{kTable};

}  // namespace cinnabar::commands
