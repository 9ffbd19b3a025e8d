// What the settings say to the cluster machine, and what the machine says to dispatch.
#include <map>

#include "cluster/names.h"
#include "server/cluster_service.h"

namespace cinnabar::server {
namespace {

constexpr int kBusPortDistance = 10'000;

std::string EndpointOf(const cluster::Node& node, config::EndpointType type) {
  switch (type) {
    case config::EndpointType::kIp:
      return node.ip;
    case config::EndpointType::kHostname:
      return node.hostname.empty() ? "?" : node.hostname;
    case config::EndpointType::kUnknown:
      return "";
  }
  return "";
}

}  // namespace

int BusPort(const config::Settings& settings) {
  if (settings.cluster.port != 0) return static_cast<int>(settings.cluster.port);
  return static_cast<int>(settings.tls.cluster ? settings.tls.port : settings.network.port) +
         kBusPortDistance;
}

cluster::Options ClusterOptions(const config::Settings& settings) {
  const config::Cluster& from = settings.cluster;
  const auto or_else = [](int64_t announced, int64_t real) {
    return static_cast<int>(announced != 0 ? announced : real);
  };
  cluster::Options options;
  options.node_timeout = from.node_timeout_millis;
  options.replica_validity_factor = from.replica_validity_factor;
  options.migration_barrier = from.migration_barrier;
  options.require_full_coverage = from.require_full_coverage;
  options.allow_replica_migration = from.allow_replica_migration;
  options.replica_no_failover = from.replica_no_failover;
  options.replica_ping_period = settings.replication.repl_ping_replica_period_seconds * kMillisPerSecond;
  options.form = settings.general.compat_version == config::CompatVersion::k70 ? cluster::NodesForm::kOld
                                                                               : cluster::NodesForm::kNew;
  if (settings.tls.cluster) {
    options.port = or_else(from.announce_tls_port, settings.tls.port);
    options.plain_port = or_else(from.announce_port, settings.network.port);
  } else {
    options.port = or_else(from.announce_port, settings.network.port);
  }
  options.bus_port = or_else(from.announce_bus_port, BusPort(settings));
  options.announce_ip = from.announce_ip;
  options.hostname = from.announce_hostname;
  options.human_name = from.announce_human_nodename;
  return options;
}

std::unique_ptr<dispatch::Routing> MakeRouting(const cluster::Cluster& machine,
                                               const config::Settings& settings) {
  using dispatch::Routing;
  auto routing = std::make_unique<Routing>();
  std::map<const cluster::Node*, uint16_t> numbers;
  const auto number_of = [&](const cluster::Node* node) {
    if (node == nullptr) return Routing::kNobody;
    const auto [found, is_new] = numbers.try_emplace(node, static_cast<uint16_t>(routing->nodes.size()));
    if (is_new) {
      const bool has_plain = settings.tls.cluster && node->plain_port != 0;
      routing->nodes.push_back({.endpoint = EndpointOf(*node, settings.cluster.preferred_endpoint_type),
                                .port = has_plain ? node->plain_port : node->port,
                                .tls_port = node->port});
    }
    return found->second;
  };
  routing->owner.fill(Routing::kNobody);
  routing->migrating_to.fill(Routing::kNobody);
  if (!machine.started()) return routing;
  const cluster::Node& me = machine.myself();
  routing->myself = number_of(&me);
  if (me.is_replica()) routing->primary = number_of(me.primary);
  routing->healthy = machine.healthy();
  for (int slot = 0; slot < Routing::kSlots; ++slot) {
    const auto index = static_cast<size_t>(slot);
    routing->owner[index] = number_of(machine.Owner(slot));
    routing->migrating_to[index] = number_of(machine.MigratingTo(slot));
    routing->importing[index] = machine.ImportingFrom(slot) != nullptr;
    routing->served[index] = routing->healthy && routing->owner[index] == routing->myself &&
                             routing->migrating_to[index] == Routing::kNobody;
  }
  return routing;
}

}  // namespace cinnabar::server
