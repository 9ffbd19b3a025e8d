// CLUSTER SLOTS and SHARDS: who serves which slots, for clients.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "commands/cluster/machine.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using cluster::Node;
using cluster::NodeId;
using cluster::SlotRange;
using config::EndpointType;
using dispatch::Call;
using dispatch::CommandSpec;

// What clients are to connect to.
void WriteEndpoint(Call& call, const Node& node) {
  switch (call.settings().cluster.preferred_endpoint_type) {
    case EndpointType::kIp:
      return call.reply().Bulk(node.ip);
    case EndpointType::kHostname:
      return call.reply().Bulk(node.hostname.empty() ? std::string_view("?") : node.hostname);
    case EndpointType::kUnknown:
      return call.reply().Null();
  }
}

// ---- SLOTS

// What else is known of where a node is.
void WriteMetadata(Call& call, const Node& node) {
  const EndpointType preferred = call.settings().cluster.preferred_endpoint_type;
  const bool shows_ip = preferred != EndpointType::kIp;
  const bool shows_hostname = preferred != EndpointType::kHostname && !node.hostname.empty();
  call.reply().Map(static_cast<size_t>(shows_ip) + static_cast<size_t>(shows_hostname));
  if (shows_ip) {
    call.reply().Bulk("ip");
    call.reply().Bulk(node.ip);
  }
  if (shows_hostname) {
    call.reply().Bulk("hostname");
    call.reply().Bulk(node.hostname);
  }
}

void WriteNode(Call& call, const Node& node) {
  call.reply().Array(4);
  WriteEndpoint(call, node);
  call.reply().Integer(PortFor(call, node));
  call.reply().Bulk(node.id.text());
  WriteMetadata(call, node);
}

void WriteRange(Call& call, const Cluster& machine, SlotRange range, const Node& owner) {
  // Replicas that could answer a read: with data, and alive.
  std::vector<const Node*> replicas(owner.replicas.begin(), owner.replicas.end());
  std::erase_if(replicas,
                [&](const Node* replica) { return replica->failed() || machine.OffsetOf(*replica) == 0; });
  call.reply().Array(3 + replicas.size());
  call.reply().Integer(range.first);
  call.reply().Integer(range.last);
  WriteNode(call, owner);
  for (const Node* replica : replicas) WriteNode(call, *replica);
}

void Slots(Call& call, Cluster& machine) {
  call.reply().Begin(protocol::ReplyWriter::Aggregate::kArray);
  size_t ranges = 0;
  for (int slot = 0; slot < cluster::kSlots;) {
    const Node* owner = machine.Owner(slot);
    const int first = slot;
    while (slot < cluster::kSlots && machine.Owner(slot) == owner) ++slot;
    if (owner == nullptr) continue;
    WriteRange(call, machine, {first, slot - 1}, *owner);
    ++ranges;
  }
  call.reply().End(ranges);
}

// ---- SHARDS

// A primary and its replicas.
struct Shard {
  std::vector<const Node*> nodes;  // primaries first
  cluster::SlotSet slots;
};

// By the primary that a node follows, as 7.0 sees it; or by the shards that nodes say that they are in. The
// latter keep one together whose primary has failed and was replaced.
std::vector<Shard> Shards(const Cluster& machine, cluster::NodesForm form) {
  std::map<NodeId, Shard> shards;
  for (const bool replicas : {false, true}) {
    for (const auto& [id, node] : machine.nodes()) {
      if (node->in_handshake() || node->is_replica() != replicas) continue;
      const Node& head = node->primary == nullptr ? *node : *node->primary;
      const bool by_shard = form == cluster::NodesForm::kNew && !head.shard.empty();
      Shard& shard = shards[by_shard ? head.shard : head.id];
      shard.nodes.push_back(node.get());
      node->slots.ForEach([&](int slot) { shard.slots.Add(slot); });
    }
  }
  std::vector<Shard> list;
  for (auto& [id, shard] : shards) list.push_back(std::move(shard));
  return list;
}

std::string_view Health(const Cluster& machine, const Node& node) {
  if (node.failed()) return "fail";
  return node.is_replica() && machine.OffsetOf(node) == 0 ? "loading" : "online";
}

void WriteMember(Call& call, const Cluster& machine, const Node& node) {
  const bool tls = call.settings().tls.cluster;
  const int plain_port = tls ? node.plain_port : node.port;
  const int tls_port = tls ? node.port : 0;
  auto& reply = call.reply();
  reply.Map(6 + static_cast<size_t>(plain_port != 0) + static_cast<size_t>(tls_port != 0) +
            static_cast<size_t>(!node.hostname.empty()));
  const auto text = [&](std::string_view name, std::string_view value) {
    reply.Bulk(name);
    reply.Bulk(value);
  };
  const auto number = [&](std::string_view name, int64_t value) {
    reply.Bulk(name);
    reply.Integer(value);
  };
  text("id", node.id.text());
  if (plain_port != 0) number("port", plain_port);
  if (tls_port != 0) number("tls-port", tls_port);
  text("ip", node.ip);
  reply.Bulk("endpoint");
  WriteEndpoint(call, node);
  if (!node.hostname.empty()) text("hostname", node.hostname);
  text("role", node.is_replica() ? "replica" : "master");
  number("replication-offset", static_cast<int64_t>(machine.OffsetOf(node)));
  text("health", Health(machine, node));
}

void ListShards(Call& call, Cluster& machine) {
  const std::vector<Shard> shards = Shards(machine, machine.options().form);
  auto& reply = call.reply();
  reply.Array(shards.size());
  for (const Shard& shard : shards) {
    reply.Map(2);
    reply.Bulk("slots");
    const std::vector<SlotRange> ranges = shard.slots.Ranges();
    reply.Array(2 * ranges.size());
    for (const SlotRange& range : ranges) {
      reply.Integer(range.first);
      reply.Integer(range.last);
    }
    reply.Bulk("nodes");
    reply.Array(shard.nodes.size());
    for (const Node* node : shard.nodes) WriteMember(call, machine, *node);
  }
}

constexpr CommandSpec SlotsCommand() {
  CommandSpec spec = ReplacedBy(
      Costing(Varying(ClusterCommand("cluster|slots", "", "Returns which slots are served by which nodes.", 2,
                                     kClusterLooks, OnNode<Slots>)),
              kCostsNodes),
      "`CLUSTER SHARDS`", "7.0.0");
  spec.history = "4.0.0: Added node IDs.|7.0.0: Added additional networking metadata field.";
  return spec;
}

constexpr CommandSpec kTable[] = {
    Since(Costing(Varying(ClusterCommand("cluster|shards", "",
                                         "Returns which slots are served by which groups of nodes.", 2,
                                         kClusterLooks, OnNode<ListShards>)),
                  "O(N) where N is the total number of cluster nodes"),
          "7.0.0"),
    SlotsCommand(),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterTopologyCommands{kTable};

}  // namespace cinnabar::commands
