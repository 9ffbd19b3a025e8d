#include "simulator/sentinel_deployment.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::simulator {

SentinelDeployment::SentinelDeployment(uint64_t seed, Tracing tracing)
    : random_(seed),
      watch_({.tracing = tracing,
              .events = events_,
              .options = options_,
              .answer = [this](int node, const Position& position) {
                servers_[static_cast<size_t>(node)]->AnswerWrite(position);
              }}) {}

SentinelDeployment::~SentinelDeployment() = default;

void SentinelDeployment::Build(const SentinelOptions& options) {
  options_ = options;
  checks_ = std::make_unique<SentinelChecks>(SentinelChecks::Setup{
      .sentinels = static_cast<size_t>(options.sentinels),
      .quorum = static_cast<size_t>(options.quorum),
      .old_files = options.old_files,
      .few_votes_suffice = options.operator_resets && options.quorum <= options.sentinels / 2,
      .broken = [this](std::string what) { watch_.Broken(std::move(what)); },
  });
  const int nodes = options.servers + options.sentinels + options.clients;
  network_ = std::make_unique<Network>(events_, random_, nodes);
  world_ = std::make_unique<SentinelWorld>(events_, *network_, random_, watch_, options_, *checks_);
  for (int i = 0; i < options.servers; ++i) servers_.push_back(std::make_unique<ServerHost>(*world_, i));
  for (int i = 0; i < options.sentinels; ++i)
    sentinels_.push_back(std::make_unique<SentinelHost>(*world_, i));
  for (int i = 0; i < options.clients; ++i) clients_.push_back(std::make_unique<ClientHost>(*world_, i));
}

void SentinelDeployment::Start() {
  for (auto& server : servers_) server->Start(Node::Disk::kLost);
  for (auto& sentinel : sentinels_) sentinel->Start();
  for (auto& client : clients_) client->Start();
}

// ---- agreement ----

std::optional<int> SentinelDeployment::NamedPrimary() const {
  std::vector<int> named(servers_.size());
  for (const auto& sentinel : sentinels_) {
    const auto node = NodeAt(sentinel->PrimaryAddress());
    if (node && world_->IsServer(*node)) ++named[static_cast<size_t>(*node)];
  }
  const auto most = std::ranges::max_element(named);
  if (static_cast<size_t>(*most) <= sentinels_.size() / 2) return std::nullopt;
  return static_cast<int>(most - named.begin());
}

std::string SentinelDeployment::Disagreement() const {
  const SentinelHost* first = nullptr;
  for (const auto& sentinel : sentinels_) {
    if (sentinel->machine() == nullptr) continue;
    if (first == nullptr) first = sentinel.get();
    if (sentinel->PrimaryAddress() != first->PrimaryAddress() ||
        sentinel->ConfigEpoch() != first->ConfigEpoch()) {
      return fmt::format("sentinel {} names {} in config epoch {}, sentinel {} {} in {}", first->number(),
                         first->PrimaryAddress(), first->ConfigEpoch(), sentinel->number(),
                         sentinel->PrimaryAddress(), sentinel->ConfigEpoch());
    }
    if (sentinel->FailingOver()) return fmt::format("sentinel {} fails over", sentinel->number());
  }
  const auto primary = NamedPrimary();
  if (!primary) return "no majority names the same primary";
  return DisagreementOfServers(*primary);
}

// Whether all sentinels have forgotten a server, as SENTINEL RESET may make them do while it is away.
bool SentinelDeployment::IsForgotten(int server) const {
  if (!options_.operator_resets) return false;
  return std::ranges::none_of(sentinels_, [&](const auto& sentinel) { return sentinel->Knows(server); });
}

std::string SentinelDeployment::DisagreementOfServers(int primary) const {
  ServerHost& named = *servers_[static_cast<size_t>(primary)];
  if (!named.running() || named.node().gate().closed()) return fmt::format("{} does not run", primary);
  if (!named.node().is_primary()) return "no primary is the named " + named.node().Description();
  for (const auto& server : servers_) {
    const Node& node = server->node();
    if (!server->running() || node.number() == primary || IsForgotten(node.number())) continue;
    if (node.followed() != primary) return "whom does it follow? " + node.Description();
    if (!node.link_online() || !node.readable()) return "not online: " + node.Description();
  }
  return {};
}

}  // namespace cinnabar::simulator
