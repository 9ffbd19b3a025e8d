// All hosts of one run with sentinels: servers, sentinels, clients, the network between them, and what
// watches over them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulator/sentinel_checks.h"
#include "simulator/sentinel_client.h"
#include "simulator/sentinel_host.h"
#include "simulator/sentinel_server.h"
#include "simulator/sentinel_watch.h"
#include "simulator/sentinel_world.h"

namespace cinnabar::simulator {

class SentinelDeployment {
 public:
  SentinelDeployment(uint64_t seed, Tracing tracing);
  ~SentinelDeployment();

  // What the run is made of may be drawn from random(). Called once, before Start and what is below.
  void Build(const SentinelOptions& options);
  void Start();

  EventQueue& events() { return events_; }
  cinnabar::Random& random() { return random_; }
  SentinelWorld& world() { return *world_; }
  SentinelWatch& watch() { return watch_; }
  const SentinelChecks& checks() const { return *checks_; }
  std::vector<std::unique_ptr<ServerHost>>& servers() { return servers_; }
  std::vector<std::unique_ptr<SentinelHost>>& sentinels() { return sentinels_; }
  std::vector<std::unique_ptr<ClientHost>>& clients() { return clients_; }
  uint64_t digest() const { return network_->digest(); }

  // The server that a majority of all sentinels names.
  std::optional<int> NamedPrimary() const;
  // Empty: all sentinels that run name the same primary, in the same config epoch, and fail nothing over; it
  // is one, and all other servers that run follow it. Else what is wrong.
  std::string Disagreement() const;

 private:
  std::string DisagreementOfServers(int primary) const;
  bool IsForgotten(int server) const;

  EventQueue events_;
  cinnabar::Random random_;
  SentinelOptions options_;
  SentinelWatch watch_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<SentinelChecks> checks_;
  std::unique_ptr<SentinelWorld> world_;
  std::vector<std::unique_ptr<ServerHost>> servers_;
  std::vector<std::unique_ptr<SentinelHost>> sentinels_;
  std::vector<std::unique_ptr<ClientHost>> clients_;
};

}  // namespace cinnabar::simulator
