// What people ask for with CLUSTER.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

// In one form, so that an address is known again.
std::optional<std::string> NumericAddress(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  std::array<char, INET6_ADDRSTRLEN> shown;
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), address.data()) == 1)
      return inet_ntop(family, address.data(), shown.data(), shown.size());
  }
  return std::nullopt;
}

}  // namespace

Status Cluster::Meet(const std::string& ip, int port, int bus_port) {
  const auto address = NumericAddress(ip);
  const auto good = [](int number) { return number > 0 && number <= 65535; };
  if (!address || !good(port) || !good(bus_port))
    return Fail(fmt::format("ERR Invalid node address specified: {}:{}", ip, port));
  meetings_[{*address, bus_port}] = {.port = port, .until = now() + kMeetPeriod};
  if (Node* node = StartHandshake(*address, port, bus_port)) node->flags |= kMeetFlag;
  return Done();
}

Status Cluster::Forget(std::string_view id) {
  Node* node = Find(id);
  if (node == nullptr) {
    // Nodes tell each other whom they have forgotten: it may be gone before somebody asks us.
    const auto parsed = NodeId::Parse(id);
    if (parsed && IsBanned(*parsed)) return {};
    return Fail(fmt::format("ERR Unknown node {}", id));
  }
  if (node == myself_) return Fail("ERR I tried hard but I can't forget myself...");
  if (node == myself_->primary) return Fail("ERR Can't forget my master!");
  banned_[node->id] = now() + kForgetPeriod;
  RemoveNode(*node);
  Changed(Change::kVital);
  routing_changed_ = true;
  return Done();
}

Status Cluster::AddSlots(const SlotSet& slots) {
  std::optional<int> busy;
  slots.ForEach([&](int slot) {
    if (!busy && Owner(slot) != nullptr) busy = slot;
  });
  if (busy) return Fail(fmt::format("ERR Slot {} is already busy", *busy));
  slots.ForEach([&](int slot) {
    importing_.erase(slot);
    GiveSlot(slot, *myself_);
  });
  Changed(Change::kVital);
  return Done();
}

Status Cluster::DeleteSlots(const SlotSet& slots) {
  std::optional<int> free;
  slots.ForEach([&](int slot) {
    if (!free && Owner(slot) == nullptr) free = slot;
  });
  if (free) return Fail(fmt::format("ERR Slot {} is already unassigned", *free));
  slots.ForEach([&](int slot) { FreeSlot(slot); });
  Changed(Change::kVital);
  return Done();
}

Status Cluster::FlushSlots() {
  if (!port_.Empty()) return Fail("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
  FreeAllSlots(*myself_);
  Changed(Change::kVital);
  return Done();
}

Status Cluster::Migrate(int slot, std::string_view id) {
  if (myself_->is_replica()) return Fail("ERR Please use SETSLOT only with masters.");
  if (Owner(slot) != myself_) return Fail(fmt::format("ERR I'm not the owner of hash slot {}", slot));
  const Node* node = Find(id);
  if (node == nullptr) return Fail(fmt::format("ERR I don't know about node {}", id));
  if (node->is_replica()) return Fail("ERR Target node is not a master");
  migrating_[slot] = node->id;
  Changed(Change::kMinor);
  routing_changed_ = true;
  return Done();
}

Status Cluster::Import(int slot, std::string_view id) {
  if (myself_->is_replica()) return Fail("ERR Please use SETSLOT only with masters.");
  if (Owner(slot) == myself_) return Fail(fmt::format("ERR I'm already the owner of hash slot {}", slot));
  const Node* node = Find(id);
  if (node == nullptr) return Fail(fmt::format("ERR I don't know about node {}", id));
  if (node->is_replica()) return Fail("ERR Target node is not a master");
  importing_[slot] = node->id;
  Changed(Change::kMinor);
  routing_changed_ = true;
  return Done();
}

Status Cluster::MakeStable(int slot) {
  if (myself_->is_replica()) return Fail("ERR Please use SETSLOT only with masters.");
  if (migrating_.erase(slot) + importing_.erase(slot) != 0) Changed(Change::kMinor);
  routing_changed_ = true;
  return Done();
}

// SETSLOT NODE.
Status Cluster::Assign(int slot, std::string_view id) {
  if (myself_->is_replica()) return Fail("ERR Please use SETSLOT only with masters.");
  Node* node = Find(id);
  if (node == nullptr) return Fail(fmt::format("ERR Unknown node {}", id));
  if (node->is_replica()) return Fail("ERR Target node is not a master");
  const bool was_mine = Owner(slot) == myself_;
  if (was_mine && node != myself_ && port_.CountKeys(slot) != 0) {
    return Fail(fmt::format(
        "ERR Can't assign hashslot {} to a different node while I still hold keys for this hash slot.",
        slot));
  }
  if (port_.CountKeys(slot) == 0) migrating_.erase(slot);
  if (!was_mine || node != myself_) GiveSlot(slot, *node);
  // Who has taken it, or has given it away, must not forget that and take a new epoch for what it had. What
  // others know of it they hear again.
  Changed(was_mine || node == myself_ ? Change::kVital : Change::kMinor);
  if (was_mine && node != myself_ && myself_->slot_count == 0 && options_.allow_replica_migration) {
    port_.Log(LogLevel::kWarning,
              fmt::format("Configuration change detected. Reconfiguring myself as a replica of {}",
                          node->id.text()));
    FollowNode(*node);
  }
  if (node == myself_ && importing_.erase(slot) != 0) {
    // Everybody is to believe this, whatever the epoch of whom it comes from.
    if (BumpEpochAlone()) port_.Log(LogLevel::kWarning, "configEpoch updated after importing slot");
  }
  UpdateState();
  BroadcastPong(To::kAll);
  return Done();
}

Status Cluster::Replicate(std::string_view id) {
  Node* node = Find(id);
  if (node == nullptr) return Fail(fmt::format("ERR Unknown node {}", id));
  if (node == myself_) return Fail("ERR Can't replicate myself");
  if (node->is_replica()) return Fail("ERR I can only replicate a master, not a replica.");
  if (myself_->is_primary() && (myself_->slot_count != 0 || !port_.Empty()))
    return Fail("ERR To set a master the node must be empty and without assigned slots.");
  FollowNode(*node);
  // A CLUSTER FAILOVER that comes right behind it needs votes, which nobody gives to whom he takes for a
  // primary.
  BroadcastPong(To::kAll);
  return Done();
}

bool Cluster::BumpEpoch() {
  const bool bumped = BumpEpochAlone();
  Finish();
  return bumped;
}

Status Cluster::SetConfigEpoch(Epoch epoch) {
  if (nodes_.size() > 1)
    return Fail("ERR The user can assign a config epoch only when the node does not know any other node.");
  if (myself_->config_epoch != 0) return Fail("ERR Node config epoch is already non-zero");
  myself_->config_epoch = epoch;
  port_.Log(LogLevel::kWarning, fmt::format("configEpoch set to {} via CLUSTER SET-CONFIG-EPOCH", epoch));
  current_epoch_ = std::max(current_epoch_, epoch);
  Changed(Change::kVital);
  return Done();
}

Status Cluster::Reset(bool hard) {
  if (myself_->is_primary() && !port_.Empty())
    return Fail("ERR CLUSTER RESET can't be called with master nodes containing keys");
  if (myself_->is_replica()) {
    BecomesPrimary(*myself_);
    followed_ = {};
    port_.FollowNobody();
    port_.DropAllKeys();
  }
  FreeAllSlots(*myself_);
  ClearTransfers();
  ResetManualFailover();
  election_ = {};
  meetings_.clear();
  std::vector<Node*> others;
  for (const auto& [id, node] : nodes_) {
    if (node.get() != myself_) others.push_back(node.get());
  }
  for (Node* node : others) RemoveNode(*node);
  if (hard) {
    current_epoch_ = 0;
    last_vote_epoch_ = 0;
    myself_->config_epoch = 0;
    Rename(*myself_, NodeId::Make(random_));
    myself_->shard = NodeId::Make(random_);
    port_.Log(LogLevel::kNotice, fmt::format("Node hard reset, now I'm {}", myself_->id.text()));
  }
  Changed(Change::kVital);
  return Done();
}

}  // namespace cinnabar::cluster
