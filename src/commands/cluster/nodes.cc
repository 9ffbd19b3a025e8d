// CLUSTER NODES, REPLICAS, COUNT-FAILURE-REPORTS, INFO and LINKS: what this node knows of the others.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "commands/cluster/machine.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using cluster::Node;
using dispatch::Call;
using dispatch::CommandSpec;

// ---- NODES, REPLICAS

std::string Line(const Call& call, const Cluster& machine, const Node& node) {
  cluster::NodeRecord record = machine.Record(node);
  record.port = PortFor(call, node);
  return cluster::NodeLine(record, cluster::NodesForm::kOld);
}

void Nodes(Call& call, Cluster& machine) {
  std::string text;
  for (const auto& [id, node] : machine.nodes()) text += Line(call, machine, *node) + "\n";
  call.reply().Verbatim("txt", text);
}

void Replicas(Call& call, Cluster& machine) {
  const Node* node = NamedNode(call, machine, 2);
  if (node == nullptr) return;
  if (node->is_replica()) return call.reply().Error("ERR The specified node is not a master");
  call.reply().Array(node->replicas.size());
  for (const Node* replica : node->replicas) call.reply().Bulk(Line(call, machine, *replica));
}

void CountFailureReports(Call& call, Cluster& machine) {
  Node* node = NamedNode(call, machine, 2);
  if (node != nullptr) call.reply().Integer(static_cast<int64_t>(machine.FailureReports(*node)));
}

// ---- INFO

struct SlotCounts {
  int assigned = 0;
  int working = 0;
  int suspected = 0;
  int failed = 0;
};

SlotCounts CountSlots(const Cluster& machine) {
  SlotCounts counts;
  for (int slot = 0; slot < cluster::kSlots; ++slot) {
    const Node* owner = machine.Owner(slot);
    if (owner == nullptr) continue;
    ++counts.assigned;
    if (owner->failed()) {
      ++counts.failed;
    } else if (owner->Is(cluster::kMaybeFailedFlag)) {
      ++counts.suspected;
    } else {
      ++counts.working;
    }
  }
  return counts;
}

using PacketCounts = decltype(cluster::Counts::sent);

// In the order of PacketType.
constexpr std::string_view kPacketNames[] = {"ping",    "pong",     "meet",        "fail",
                                             "publish", "auth-req", "auth-ack",    "update",
                                             "mfstart", "module",   "publishshard"};
static_assert(std::size(kPacketNames) == std::tuple_size_v<PacketCounts>);

// Of each type that there was, and the sum.
void AppendPackets(std::string& text, const PacketCounts& counts, std::string_view way) {
  uint64_t sum = 0;
  for (size_t type = 0; type < counts.size(); ++type) {
    sum += counts[type];
    if (counts[type] == 0) continue;
    fmt::format_to(std::back_inserter(text), "cluster_stats_messages_{}_{}:{}\r\n", kPacketNames[type], way,
                   counts[type]);
  }
  fmt::format_to(std::back_inserter(text), "cluster_stats_messages_{}:{}\r\n", way, sum);
}

void Info(Call& call, Cluster& machine) {
  const SlotCounts slots = CountSlots(machine);
  const Node& me = machine.myself();
  const Node& head = me.primary == nullptr ? me : *me.primary;
  std::string text;
  const auto field = [&](std::string_view name, const auto& value) {
    fmt::format_to(std::back_inserter(text), "{}:{}\r\n", name, value);
  };
  field("cluster_state", machine.healthy() ? "ok" : "fail");
  field("cluster_slots_assigned", slots.assigned);
  field("cluster_slots_ok", slots.working);
  field("cluster_slots_pfail", slots.suspected);
  field("cluster_slots_fail", slots.failed);
  field("cluster_known_nodes", machine.nodes().size());
  field("cluster_size", machine.size());
  field("cluster_current_epoch", machine.current_epoch());
  field("cluster_my_epoch", head.config_epoch);
  AppendPackets(text, machine.counts().sent, "sent");
  AppendPackets(text, machine.counts().received, "received");
  field("total_cluster_links_buffer_limit_exceeded", machine.TotalsOfLinks().over_limit);
  call.reply().Verbatim("txt", text);
}

// ---- LINKS

void WriteLink(Call& call, const Cluster& machine, const Cluster::LinkView& link) {
  const cluster::ClusterPort::SendBuffer buffer = machine.SendBufferOf(link.id);
  auto& reply = call.reply();
  reply.Map(6);
  reply.Bulk("direction");
  reply.Bulk(link.outgoing ? "to" : "from");
  reply.Bulk("node");
  reply.Bulk(link.node.text());
  reply.Bulk("create-time");
  reply.Integer(link.created);
  reply.Bulk("events");
  reply.Bulk(buffer.used == 0 ? "r" : "rw");
  reply.Bulk("send-buffer-allocated");
  reply.Integer(static_cast<int64_t>(buffer.allocated));
  reply.Bulk("send-buffer-used");
  reply.Integer(static_cast<int64_t>(buffer.used));
}

void Links(Call& call, Cluster& machine) {
  std::vector<Cluster::LinkView> links = machine.Links();
  // Of some that come in nobody knows yet whose they are.
  std::erase_if(links, [](const Cluster::LinkView& link) { return link.node.empty(); });
  std::ranges::sort(links, [](const Cluster::LinkView& a, const Cluster::LinkView& b) {
    return a.node != b.node ? a.node < b.node : a.outgoing && !b.outgoing;
  });
  call.reply().Array(links.size());
  for (const Cluster::LinkView& link : links) WriteLink(call, machine, link);
}

// ---- facts

constexpr CommandSpec kTable[] = {
    Costing(Varying(ClusterCommand("cluster|nodes", "", "Returns the nodes of the cluster, one on each line.",
                                   2, kClusterLooks, OnNode<Nodes>)),
            kCostsNodes),
    Since(Varying(ClusterCommand("cluster|replicas", "node-id", "Returns the replicas of a master.", 3,
                                 kClusterAdministers, OnNode<Replicas>)),
          "5.0.0"),
    ReplacedBy(Varying(ClusterCommand("cluster|slaves", "node-id", "Returns the replicas of a master.", 3,
                                      kClusterAdministers, OnNode<Replicas>)),
               "`CLUSTER REPLICAS`", "5.0.0"),
    Costing(Varying(ClusterCommand("cluster|count-failure-reports", "node-id",
                                   "Returns how many nodes report that a node fails.", 3, kClusterAdministers,
                                   OnNode<CountFailureReports>)),
            "O(N) where N is the number of failure reports"),
    Varying(ClusterCommand("cluster|info", "", "Returns the state of the cluster as this node sees it.", 2,
                           kClusterLooks, OnNode<Info>)),
    Since(Costing(Varying(ClusterCommand("cluster|links", "",
                                         "Returns the links between this node and the others.", 2,
                                         kClusterLooks, OnNode<Links>)),
                  kCostsNodes),
          "7.0.0"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterNodesCommands{kTable};

}  // namespace cinnabar::commands
