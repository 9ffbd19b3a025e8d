// Who has which slot, since which epoch; and whether the cluster as a whole works.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

// A primary that has just started lets others tell it what it has missed before it takes writes.
constexpr Millis kStartDelay = 2000;
// So does one that was among a minority: as long as its node timeout, between these.
constexpr Millis kRejoinDelayMin = 500;
constexpr Millis kRejoinDelayMax = 5000;

}  // namespace

const Node* Cluster::MigratingTo(int slot) const {
  const auto found = migrating_.find(slot);
  return found == migrating_.end() ? nullptr : Find(found->second.text());
}

const Node* Cluster::ImportingFrom(int slot) const {
  const auto found = importing_.find(slot);
  return found == importing_.end() ? nullptr : Find(found->second.text());
}

// REQUIRES: nobody has it, or FreeSlot comes first.
void Cluster::GiveSlot(int slot, Node& node) {
  FreeSlot(slot);
  owners_[static_cast<size_t>(slot)] = &node;
  node.slots.Add(slot);
  ++node.slot_count;
  state_due_ = true;
  routing_changed_ = true;
}

void Cluster::FreeSlot(int slot) {
  Node*& owner = owners_[static_cast<size_t>(slot)];
  if (owner == nullptr) return;
  owner->slots.Remove(slot);
  unclaimed_.Remove(slot);
  --owner->slot_count;
  // What we do not have cannot go elsewhere.
  if (owner == myself_) migrating_.erase(slot);
  owner = nullptr;
  state_due_ = true;
  routing_changed_ = true;
}

void Cluster::FreeAllSlots(Node& node) {
  const SlotSet slots = node.slots;
  slots.ForEach([&](int slot) { FreeSlot(slot); });
}

void Cluster::ClearTransfers() {
  migrating_.clear();
  importing_.clear();
}

// `claimant`, a primary, says that these slots are its own since `epoch`. The later epoch wins. A slot that
// it had and does not claim stays with it until somebody else does, whatever the epoch: it was given away.
void Cluster::TakeClaims(Node& claimant, Epoch epoch, const SlotSet& claims) {
  if (&claimant == myself_) return;
  Node* mine = myself_->is_primary() ? myself_ : myself_->primary;
  SlotSet lost;
  int taken_from_mine = 0;
  claimant.slots.ForEach([&](int slot) {
    if (claims.Has(slot)) {
      unclaimed_.Remove(slot);
    } else if (epoch >= claimant.config_epoch) {
      unclaimed_.Add(slot);
    }
  });
  claims.ForEach([&](int slot) {
    Node* owner = owners_[static_cast<size_t>(slot)];
    // A slot on its way to us is ours when somebody says so here, not before.
    if (owner == &claimant || importing_.contains(slot)) return;
    if (owner != nullptr && owner->config_epoch >= epoch && !unclaimed_.Has(slot)) return;
    if (owner == mine && mine != nullptr) {
      ++taken_from_mine;
      if (mine == myself_) Changed(Change::kVital);
    }
    if (owner == myself_ && port_.CountKeys(slot) != 0) lost.Add(slot);
    GiveSlot(slot, claimant);
    Changed(Change::kMinor);
  });
  const bool all_lost = taken_from_mine != 0 && mine->slot_count == 0;
  if (all_lost && (options_.allow_replica_migration || claimant.slot_count == taken_from_mine)) {
    // Our primary was replaced, or we were: what is left of it is a replica of the new one.
    port_.Log(LogLevel::kWarning,
              fmt::format("Configuration change detected. Reconfiguring myself as a replica of {}",
                          claimant.id.text()));
    FollowNode(claimant);
  } else if (!lost.empty()) {
    port_.Log(LogLevel::kWarning, "Slots with keys are another node's now: these keys are deleted.");
    port_.DropKeys(lost);
  }
}

// A replica of ours was elected in an epoch that we took without votes: a majority has decided, and what it
// serves since then must not be lost. Without this we would take a later epoch, and everything back.
void Cluster::YieldTo(Node& successor, const SlotSet& claims) {
  claims.ForEach([&](int slot) {
    if (Owner(slot) == myself_) unclaimed_.Add(slot);
  });
  TakeClaims(successor, myself_->config_epoch, claims);
}

Epoch Cluster::GreatestEpoch() const {
  Epoch greatest = current_epoch_;
  for (const auto& [id, node] : nodes_) greatest = std::max(greatest, node->config_epoch);
  return greatest;
}

// A new epoch without votes: what an operator asked for needs no majority. Two nodes may take the same one;
// ResolveEpochCollision follows.
bool Cluster::BumpEpochAlone() {
  const Epoch greatest = GreatestEpoch();
  if (myself_->config_epoch != 0 && myself_->config_epoch == greatest) return false;
  current_epoch_ = std::max(current_epoch_, greatest) + 1;
  myself_->config_epoch = current_epoch_;
  epoch_is_alone_ = true;
  Changed(Change::kVital);
  port_.Log(LogLevel::kWarning, fmt::format("New configEpoch set to {}", myself_->config_epoch));
  return true;
}

// Two primaries have one epoch: the one with the lower name takes a new one.
void Cluster::ResolveEpochCollision(Node& other) {
  if (other.id <= myself_->id) return;
  current_epoch_ = std::max(current_epoch_, GreatestEpoch()) + 1;
  myself_->config_epoch = current_epoch_;
  epoch_is_alone_ = true;
  Changed(Change::kVital);
  port_.Log(LogLevel::kVerbose,
            fmt::format("WARNING: configEpoch collision with node {}. configEpoch set to {}", other.id.text(),
                        myself_->config_epoch));
}

// Counts the primaries with slots, and notes when most of them are out of reach; where nobody has slots there
// is nobody to be out of reach. After a start nobody is suspected yet: most of them must have been heard.
bool Cluster::LooksHealthy() {
  int reachable = 0;
  int heard = 0;
  size_ = 0;
  for (const auto& [id, node] : nodes_) {
    if (!node->votes()) continue;
    ++size_;
    if (node->Is(kFailedFlag | kMaybeFailedFlag)) continue;
    ++reachable;
    if (node.get() == myself_ || node->data_received != 0) ++heard;
  }
  if (size_ != 0 && reachable < Majority()) in_minority_at_ = now();
  if (heard < Majority() || (vital_ && save_problem_)) return false;
  return !options_.require_full_coverage ||
         std::ranges::all_of(owners_, [](const Node* owner) { return owner != nullptr && !owner->failed(); });
}

void Cluster::UpdateState() {
  state_due_ = false;
  const bool healthy = LooksHealthy();
  if (healthy == healthy_) return;
  if (healthy && myself_->is_primary()) {
    const Millis delay = std::clamp(options_.node_timeout, kRejoinDelayMin, kRejoinDelayMax);
    if (now() - started_at_ < kStartDelay) return;
    if (in_minority_at_ != 0 && now() - in_minority_at_ < delay) return;
  }
  healthy_ = healthy;
  routing_changed_ = true;
  port_.Log(LogLevel::kWarning, fmt::format("Cluster state changed: {}", healthy ? "ok" : "fail"));
}

}  // namespace cinnabar::cluster
