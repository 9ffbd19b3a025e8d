#include "simulator/cluster_measure.h"

#include <algorithm>
#include <functional>

#include "simulator/cluster_faults.h"
#include "simulator/cluster_keys.h"
#include "simulator/cluster_operator.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kCreation = 120'000;
constexpr Millis kQuiet = 10'000;

ClusterOptions Quiet(int primaries, int hosts, Millis node_timeout) {
  ClusterOptions options;
  options.primaries = primaries;
  options.hosts = hosts;
  options.machine.node_timeout = node_timeout;
  options.machine.allow_replica_migration = false;
  options.node.loads_beside_old_data = true;
  options.node.databases = 1;
  return options;
}

// Looks each `step` until it is so. The time that passed, or none after `most`.
std::optional<Millis> Until(EventQueue& events, Millis step, Millis most,
                            const std::function<bool()>& is_so) {
  const Millis begin = events.now();
  while (!is_so()) {
    if (events.now() - begin > most) return std::nullopt;
    events.RunUntil(events.now() + step);
  }
  return events.now() - begin;
}

// Whether everybody else who is awake sees this one so.
bool AllSee(const ClusterDeployment& deployment, const NodeId& id,
            const std::function<bool(const cluster::Node&)>& so) {
  for (int i = 0; i < deployment.size(); ++i) {
    const ClusterHost& host = deployment.host(i);
    if (!host.awake() || host.id() == id) continue;
    const auto found = host.machine()->nodes().find(id);
    if (found == host.machine()->nodes().end() || found->second->in_handshake() || !so(*found->second))
      return false;
  }
  return true;
}

bool AllKnowAll(const ClusterDeployment& deployment, size_t nodes) {
  for (int i = 0; i < deployment.size(); ++i) {
    const ClusterHost& host = deployment.host(i);
    if (host.machine()->nodes().size() == 1) continue;  // it has met nobody yet
    const auto& known = host.machine()->nodes();
    if (known.size() != nodes) return false;
    if (std::ranges::any_of(known, [](const auto& entry) { return entry.second->in_handshake(); }))
      return false;
  }
  return true;
}

}  // namespace

ClusterFailoverResult MeasureClusterFailover(uint64_t seed, const ClusterFailoverTrial& trial) {
  ClusterDeployment deployment(seed, Tracing::kOff);
  ClusterOptions options =
      Quiet(trial.primaries, trial.primaries * (1 + trial.replicas_each), trial.node_timeout);
  options.acks = true;
  deployment.Build(options);
  deployment.world().network.SetDelays({.usual = 2, .slow = 10, .one_in = 40});
  ClusterOperator people(deployment);
  ClusterFaults faults(deployment, people);
  EventQueue& events = deployment.events();
  deployment.Start();
  people.Create();
  ClusterFailoverResult result;
  if (!Until(events, 100, kCreation, [&] { return deployment.Disagreement().empty(); })) {
    result.broken = "in the beginning: " + deployment.Disagreement();
    return result;
  }
  people.StopCreating();
  Random& random = deployment.random();
  events.RunUntil(events.now() + 2 * trial.node_timeout + static_cast<Millis>(random.Uniform(10'000)));
  const int dead = static_cast<int>(random.Uniform(static_cast<uint64_t>(trial.primaries)));
  const cluster::SlotSet slots = deployment.host(dead).machine()->myself().slots;
  const int slot = slots.Ranges().front().first;
  if (trial.failure == ClusterFailoverTrial::Failure::kKilled) {
    faults.Crash(dead);
  } else {
    faults.Freeze(dead);
  }
  result.served_after = Until(events, 1, 10 * trial.node_timeout + 60'000, [&] {
    return std::ranges::any_of(deployment.hosts(), [&](const auto& host) {
      return host->awake() && host->node().is_primary() &&
             host->server().Redirection(slot, {}, false).empty();
    });
  });
  events.RunUntil(events.now() + 2 * trial.node_timeout);
  result.broken = deployment.watch().broken();
  result.promised = deployment.watch().promised().size();
  if (trial.failure == ClusterFailoverTrial::Failure::kKilled) result.lost = deployment.CountLost();
  return result;
}

NewsResult MeasureNews(uint64_t seed, int hosts, Millis node_timeout) {
  ClusterDeployment deployment(seed, Tracing::kOff);
  ClusterOptions options = Quiet(hosts / 2, hosts, node_timeout);
  options.clients = 0;
  options.spares = 1;
  options.watches_packets = false;
  deployment.Build(options);
  deployment.world().network.SetDelays({.usual = 2, .slow = 10, .one_in = 40});
  ClusterOperator people(deployment);
  ClusterFaults faults(deployment, people);
  EventQueue& events = deployment.events();
  deployment.Start();
  people.Create();
  NewsResult result;
  const Millis most = kCreation + 10 * node_timeout;
  result.created =
      Until(events, 100, most, [&] { return AllKnowAll(deployment, static_cast<size_t>(hosts) - 1); });
  events.RunUntil(events.now() + kQuiet);
  people.StopCreating();

  uint64_t before = 0, after = 0;
  for (const auto& host : deployment.hosts()) before += host->bus().bytes_sent();
  events.RunUntil(events.now() + kQuiet);
  for (const auto& host : deployment.hosts()) after += host->bus().bytes_sent();
  result.bytes_per_second = (after - before) / static_cast<uint64_t>(hosts) / (kQuiet / kMillisPerSecond);

  ClusterHost& spare = *deployment.hosts().back();
  (void)spare.Ask(
      [](cluster::Cluster& machine) { return machine.Meet(AddressOf(0), kServerPort, kBusPort); });
  result.new_node = Until(events, 10, most,
                          [&] { return AllSee(deployment, spare.id(), [](const auto&) { return true; }); });

  const NodeId dead = deployment.host(1).id();
  const int slot = deployment.host(1).machine()->myself().slots.Ranges().front().first;
  faults.Crash(1);
  const Millis died_at = events.now();
  const auto known_after = Until(events, 10, most, [&] {
    return AllSee(deployment, dead, [](const cluster::Node& node) { return node.failed(); });
  });
  if (known_after) result.failure = events.now() - died_at;
  const auto seen = Until(events, 10, most, [&] {
    return std::ranges::all_of(deployment.hosts(), [&](const auto& host) {
      const cluster::Node* owner = host->awake() ? host->machine()->Owner(slot) : nullptr;
      return !host->awake() || (owner != nullptr && owner->id != dead);
    });
  });
  if (seen) result.failover = events.now() - died_at;
  result.broken = deployment.watch().broken();
  return result;
}

}  // namespace cinnabar::simulator
