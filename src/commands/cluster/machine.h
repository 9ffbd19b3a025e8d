// What the handlers of CLUSTER share: the machine behind them, nodes and slots that arguments name, and the
// facts of subcommands.
#pragma once

#include <optional>
#include <string_view>

#include "cluster/cluster.h"
#include "commands/spec_facts.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

// Null: this server is no node of a cluster, and the error is written.
cluster::Cluster* NodeMachine(dispatch::Call& call);

// Runs a handler that needs the machine.
template <void (*kRun)(dispatch::Call&, cluster::Cluster&)>
void OnNode(dispatch::Call& call) {
  if (cluster::Cluster* machine = NodeMachine(call)) kRun(call, *machine);
}

// The node that argument `index` names. Null: the error is written.
cluster::Node* NamedNode(dispatch::Call& call, const cluster::Cluster& machine, size_t index);
// The slot that argument `index` is. None: the error is written.
std::optional<int> SlotArgument(dispatch::Call& call, size_t index);

// OK, or what a change of the machine has failed with.
void ReplyDone(dispatch::Call& call, const Status& status);
// A number of arguments that no form of the subcommand has.
void ReplyWrongForm(dispatch::Call& call);

// The port at which this client reaches a node: without TLS if it came without.
int PortFor(const dispatch::Call& call, const cluster::Node& node);

// ---- facts

// What only looks, what administers, and what changes the node. The machine belongs to nobody else while the
// world is stopped.
inline constexpr uint64_t kClusterLooks = dispatch::Flag::kStale | dispatch::Flag::kWorld;
inline constexpr uint64_t kClusterAdministers = kClusterLooks | dispatch::Flag::kAdmin;
inline constexpr uint64_t kClusterChanges = kClusterAdministers | dispatch::Flag::kNoAsyncLoading;

inline constexpr std::string_view kClusterVaries = "nondeterministic_output";
inline constexpr std::string_view kCostsNodes = "O(N) where N is the total number of Cluster nodes";

// "cluster|sub" as its name.
constexpr dispatch::CommandSpec ClusterCommand(std::string_view name, std::string_view synopsis,
                                               std::string_view summary, int arity, uint64_t flags,
                                               dispatch::Handler run) {
  return Subcommand({.group = "cluster", .since = "3.0.0"}, name, synopsis, summary, arity, flags, run);
}
// Two equal servers may answer differently.
constexpr dispatch::CommandSpec Varying(dispatch::CommandSpec spec) {
  spec.tips = kClusterVaries;
  return spec;
}
constexpr dispatch::CommandSpec ReplacedBy(dispatch::CommandSpec spec, std::string_view by,
                                           std::string_view since) {
  spec.replaced_by = by;
  spec.deprecated_since = since;
  return spec;
}

}  // namespace cinnabar::commands
