#include "simulator/cluster_deployment.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "simulator/cluster_keys.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kLook = 100;

std::string Short(const NodeId& id) {
  return id.str().substr(0, 6);
}

}  // namespace

ClusterDeployment::ClusterDeployment(uint64_t seed, Tracing tracing)
    : random_(seed),
      watch_({.tracing = tracing,
              .events = events_,
              .acknowledged = [this](int host, const AnsweredWrite& write) {
                this->host(host).server().Acknowledged(write);
              }}) {}

ClusterDeployment::~ClusterDeployment() = default;

void ClusterDeployment::Build(const ClusterOptions& options) {
  options_ = options;
  checks_ = std::make_unique<ClusterChecks>(ClusterChecks::Setup{
      .old_files = options.old_files,
      .minority_max = options.machine.node_timeout + MinorityBound(options),
      .broken = [this](std::string what) { watch_.Broken(std::move(what)); },
  });
  network_ = std::make_unique<Network>(events_, random_, 2 * options.hosts + options.clients);
  world_ = std::make_unique<ClusterWorld>(events_, *network_, random_, watch_, options_, *checks_);
  for (int i = 0; i < options.hosts; ++i) hosts_.push_back(std::make_unique<ClusterHost>(*world_, i));
  for (int i = 0; i < options.clients; ++i) clients_.push_back(std::make_unique<ClusterClient>(*world_, i));
  reached_at_.resize(hosts_.size());
}

void ClusterDeployment::Start() {
  for (auto& host : hosts_) host->Start({.without_disk = true});
  for (auto& client : clients_) client->Start();
  if (options_.watches_packets) WatchReach();
}

// ---- who is where ----

std::optional<int> ClusterDeployment::OwnerOf(int slot) const {
  std::optional<int> owner;
  Epoch epoch = 0;
  for (const auto& host : hosts_) {
    const cluster::Cluster* machine = host->machine();
    if (machine == nullptr || machine->Owner(slot) != &machine->myself()) continue;
    if (owner && machine->myself().config_epoch <= epoch) continue;
    owner = host->number();
    epoch = machine->myself().config_epoch;
  }
  return owner;
}

bool ClusterDeployment::Reaches(const ClusterHost& from, const NodeId& id) const {
  const auto other = world_->HostOf(id);
  if (!other || !host(*other).awake()) return false;
  const int here = world_->BusNode(from.number()), there = world_->BusNode(*other);
  return here == there || !network_->Blocked(here, there) || !network_->Blocked(there, here);
}

// Of a majority, each need not have been reached at the same moment: since when the last of them has not
// been. None: it reaches one now.
std::optional<Millis> ClusterDeployment::MinoritySince(const ClusterHost& host) {
  std::map<NodeId, Millis>& reached_at = reached_at_[static_cast<size_t>(host.number())];
  std::vector<Millis> times;
  for (const auto& [id, node] : host.machine()->nodes()) {
    if (Reaches(host, id)) reached_at[id] = events_.now();
    if (node->votes()) times.push_back(reached_at[id]);
  }
  const size_t majority = times.size() / 2 + 1;
  if (times.size() < majority) return std::nullopt;  // nobody votes
  std::ranges::sort(times, std::greater<>());
  const Millis since = times[majority - 1];
  if (since == events_.now()) return std::nullopt;
  return since + kLook;  // it may have been reached until shortly before the next look
}

void ClusterDeployment::WatchReach() {
  for (const auto& host : hosts_) {
    // Who stands still takes no writes: its time begins when it goes on.
    if (!host->awake()) {
      for (auto& [id, at] : reached_at_[static_cast<size_t>(host->number())]) at = events_.now();
    }
    checks_->NoteMinority(host->number(), host->awake() ? MinoritySince(*host) : std::nullopt);
  }
  events_.After(kLook, [this] { WatchReach(); });
}

// ---- agreement ----

std::string ClusterDeployment::Disagreement() const {
  cluster::SlotSet covered;
  std::set<Epoch> epochs;
  for (const auto& host : hosts_) {
    if (!host->awake()) continue;
    if (std::string wrong = WrongWith(*host); !wrong.empty()) {
      return fmt::format("host {}: {}", host->number(), wrong);
    }
    const cluster::Node& me = host->machine()->myself();
    if (!me.votes()) continue;
    me.slots.ForEach([&](int slot) { covered.Add(slot); });
    if (!epochs.insert(me.config_epoch).second)
      return fmt::format("two primaries have config epoch {}", me.config_epoch);
  }
  if (covered.Count() != cluster::kSlots) return fmt::format("only {} slots are covered", covered.Count());
  return {};
}

void ClusterDeployment::BreakWithViews(const std::string& what) {
  watch().Broken(what);
  if (!watch().tracing()) return;
  for (const auto& host : hosts_) {
    if (!host->awake()) continue;
    const cluster::Cluster& machine = *host->machine();
    watch().Trace(
        fmt::format("host {} has current epoch {} and sees", host->number(), machine.current_epoch()));
    for (const auto& [id, node] : machine.nodes())
      watch().Trace("  " + NodeLine(machine.Record(*node), cluster::NodesForm::kOld));
  }
}

std::string ClusterDeployment::WrongWith(const ClusterHost& host) const {
  const cluster::Cluster& machine = *host.machine();
  if (machine.save_problem()) return "cannot write its file";
  if (!machine.healthy()) return "says that the cluster is down";
  if (machine.nodes().size() != hosts_.size())
    return fmt::format("knows {} nodes of {}", machine.nodes().size(), hosts_.size());
  for (const auto& [id, node] : machine.nodes()) {
    if (std::string wrong = WrongWithView(host, *node); !wrong.empty())
      return fmt::format("{} {}", Short(id), wrong);
  }
  for (int number = 0; number < kBusySlots; ++number) {
    const int slot = BusySlot(number);
    if (machine.MigratingTo(slot) != nullptr || machine.ImportingFrom(slot) != nullptr)
      return fmt::format("slot {} is on its way", slot);
  }
  const cluster::Node& me = machine.myself();
  if (me.is_primary()) return host.node().is_primary() ? "" : "its replication has no primary's role";
  const auto primary = me.primary == nullptr ? std::nullopt : world_->HostOf(me.primary->id);
  if (!primary || host.node().followed() != *primary) return "its replication follows somebody else";
  if (!host.node().link_online()) return "it is not online";
  return {};
}

std::string ClusterDeployment::WrongWithView(const ClusterHost& host, const cluster::Node& node) const {
  const auto number = world_->HostOf(node.id);
  if (!number) return "is nobody";
  const ClusterHost& other = this->host(*number);
  if (node.in_handshake()) return "is in a handshake";
  if (!other.awake()) {
    if (!node.failed()) return "has not failed";
    return node.slots.empty() ? "" : "is dead and has slots";
  }
  const cluster::Cluster& machine = *other.machine();
  const cluster::Node& it = machine.myself();
  if (it.id != node.id) return "has another name now";
  if (node.Is(cluster::kFailedFlag | cluster::kMaybeFailedFlag)) return "is said to have failed";
  if (node.is_primary() != it.is_primary()) return "is seen in another role";
  for (int slot = 0; slot < cluster::kSlots; ++slot) {
    if (node.slots.Has(slot) != it.slots.Has(slot))
      return fmt::format("is seen {} slot {}", it.slots.Has(slot) ? "without" : "with", slot);
  }
  // The epoch of who has no slots means nothing; who has started from an old file has forgotten its own.
  if (node.votes() && !options_.old_files && node.config_epoch != it.config_epoch) {
    return fmt::format("is seen with config epoch {}, its own is {}", node.config_epoch, it.config_epoch);
  }
  if (machine.current_epoch() != host.machine()->current_epoch()) return "has another current epoch";
  if (it.is_primary()) return {};
  if (node.primary == nullptr || it.primary == nullptr || node.primary->id != it.primary->id)
    return "is seen with another primary";
  return {};
}

// ---- answered writes ----

uint64_t ClusterDeployment::CountLost() const {
  uint64_t lost = 0;
  for (const std::string& key : watch_.promised()) {
    const int slot = SlotOfKey(key);
    if (IsRestless(slot) && options_.operator_moves) continue;
    const auto owner = OwnerOf(slot);
    if (!owner || !host(*owner).node().data().entries().contains({0, key})) ++lost;
  }
  return lost;
}

void ClusterDeployment::CheckPromises() {
  if (!ClusterWatch::KeepsAnsweredWrites(options_)) return;
  for (const std::string& key : watch_.promised()) {
    const int slot = SlotOfKey(key);
    if (IsRestless(slot) && options_.operator_moves) continue;
    const auto owner = OwnerOf(slot);
    if (!owner || host(*owner).node().data().entries().contains({0, key})) continue;
    watch_.Broken(fmt::format("the answered write of {} is lost by host {}", key, *owner));
  }
}

}  // namespace cinnabar::simulator
