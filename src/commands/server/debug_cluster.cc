// DEBUG subcommands about the bus of the cluster: links that break, packets that get lost.
#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "cluster/cluster.h"
#include "commands/server/debug.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using dispatch::Call;
using dispatch::SameWord;

// CLUSTERLINK KILL <to|from|all> <node-id>
void ClusterLink(Call& call) {
  Cluster* machine = call.services().cluster;
  if (machine == nullptr)
    return call.reply().Error("ERR Debug option only available for cluster mode enabled setup!");
  if (!SameWord(call.arg(2), "KILL")) {
    return call.reply().Error(
        "ERR unknown subcommand or wrong number of arguments for 'clusterlink'. Try DEBUG HELP.");
  }
  cluster::Node* node = machine->Find(call.arg(4));
  if (node == nullptr) return call.reply().Error(fmt::format("ERR Unknown node {}", call.arg(4)));
  const std::string_view direction = call.arg(3);
  if (SameWord(direction, "TO")) {
    machine->KillLinks(*node, Cluster::Direction::kTo);
  } else if (SameWord(direction, "FROM")) {
    machine->KillLinks(*node, Cluster::Direction::kFrom);
  } else if (SameWord(direction, "ALL")) {
    machine->KillLinks(*node, Cluster::Direction::kBoth);
  } else {
    return call.reply().Error(fmt::format("ERR Unknown direction {}", direction));
  }
  call.reply().Ok();
}

void DropPackets(Call& call) {
  const auto type = ParseInt64(call.arg(2));
  if (!type) return call.reply().Error(errors::kNotInteger);
  if (Cluster* machine = call.services().cluster) machine->faults().dropped_type = *type;
  call.reply().Ok();
}

void CloseOnDrop(Call& call) {
  const auto closes = ParseInt64(call.arg(2));
  if (!closes) return call.reply().Error(errors::kNotInteger);
  if (Cluster* machine = call.services().cluster) machine->faults().drop_closes = *closes != 0;
  call.reply().Ok();
}

constexpr DebugSubcommand kTable[] = {
    {"clusterlink", 3, 3, ClusterLink},
    {"drop-cluster-packet-filter", 1, 1, DropPackets},
    {"close-cluster-link-on-packet-drop", 1, 1, CloseOnDrop},
};

}  // namespace

constinit const std::span<const DebugSubcommand> kDebugClusterSubcommands{kTable};

}  // namespace cinnabar::commands
