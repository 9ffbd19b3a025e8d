// What is sent: headers, gossip, and who gets it.
#include <algorithm>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

constexpr size_t kGossipMin = 3;
constexpr size_t kGossipShare = 10;  // one of so many nodes

uint16_t ShownFlags(const Node& node) {
  return static_cast<uint16_t>(node.flags & ~(kExtensionsFlag | kMeetFlag));
}

}  // namespace

Packet Cluster::Header(PacketType type) const {
  const Node& owner = myself_->primary == nullptr ? *myself_ : *myself_->primary;
  Packet packet{.type = type,
                .sender = myself_->id,
                .flags = ShownFlags(*myself_),
                // It says that we know extensions, also when there are none.
                .packet_flags = kHasExtensionsFlag,
                .state_ok = healthy_,
                .ip = options_.announce_ip,
                .port = static_cast<uint16_t>(myself_->port),
                .bus_port = static_cast<uint16_t>(myself_->bus_port),
                .plain_port = static_cast<uint16_t>(myself_->plain_port),
                .current_epoch = current_epoch_,
                .config_epoch = owner.config_epoch,
                .offset = port_.Replication().offset,
                .primary = myself_->primary == nullptr ? NodeId{} : myself_->primary->id,
                .slots = owner.slots};
  if (myself_->is_primary() && manual_.end != 0) packet.packet_flags |= kPausedFlag;
  return packet;
}

// Some nodes at random, and all that are suspected.
void Cluster::AppendGossip(Packet& packet, const Node* to) {
  std::vector<const Node*> candidates;
  std::vector<const Node*> chosen;
  for (const auto& [id, node] : nodes_) {
    if (node.get() == myself_ || node.get() == to || node->in_handshake()) continue;
    if (node->Is(kMaybeFailedFlag)) {
      chosen.push_back(node.get());
    } else if (node->has_address() && (node->out.connected || node->slot_count > 0)) {
      candidates.push_back(node.get());
    }
  }
  const size_t wanted = std::min(std::max(kGossipMin, nodes_.size() / kGossipShare), candidates.size());
  for (size_t at = 0; at < wanted; ++at) {
    std::swap(candidates[at], candidates[at + random_.Uniform(candidates.size() - at)]);
    chosen.push_back(candidates[at]);
  }
  packet.gossip.reserve(chosen.size());
  for (const Node* node : chosen) {
    packet.gossip.push_back(
        {.id = node->id,
         .ping_sent = static_cast<uint32_t>(ToWall(node->ping_sent) / kMillisPerSecond),
         .pong_received = static_cast<uint32_t>(ToWall(node->pong_received) / kMillisPerSecond),
         .ip = node->ip,
         .port = static_cast<uint16_t>(node->port),
         .bus_port = static_cast<uint16_t>(node->bus_port),
         .flags = ShownFlags(*node),
         .plain_port = static_cast<uint16_t>(node->plain_port)});
  }
}

// A PING, PONG or MEET. `to`: null if we do not know who gets it.
Packet Cluster::Greeting(PacketType type, const Node* to) {
  Packet packet = Header(type);
  AppendGossip(packet, to);
  // Nodes of 7.0 send and understand host names; all else is for those that have shown that they know it.
  if (!options_.hostname.empty()) packet.hostname = options_.hostname;
  if (to == nullptr || !to->Is(kExtensionsFlag)) return packet;
  if (!options_.human_name.empty()) packet.human_name = options_.human_name;
  packet.shard = myself_->shard;
  for (const auto& [id, until] : banned_) {
    if (until > now())
      packet.forgotten.push_back(
          {.id = id, .seconds = static_cast<uint64_t>((until - now()) / kMillisPerSecond)});
  }
  return packet;
}

void Cluster::SendPacket(LinkId link, const Packet& packet) {
  if (vital_ && !Save(ClusterPort::Durability::kSynced)) return;
  ++counts_.sent[static_cast<size_t>(packet.type)];
  port_.Send(link, std::make_shared<const std::string>(Encode(packet)));
}

void Cluster::SendGreeting(LinkId link, PacketType type, const Node* to) {
  SendPacket(link, Greeting(type, to));
}

// Whom we were told to meet may have missed it: for a time, it is asked in whenever it is not connected to
// us. But it must be the same one still that answers there: who has left the others, by CLUSTER RESET, is not
// asked back in.
void Cluster::Ping(Node& node) {
  if (!node.out.connected) return;
  if (node.ping_sent == 0) node.ping_sent = now();
  if (now() - node.created > kMeetPeriod) node.flags = static_cast<uint16_t>(node.flags & ~kMeetFlag);
  const bool is_the_one = node.in_handshake() || node.pong_received >= node.out.created;
  const bool asks_in = node.Is(kMeetFlag) && node.in.id == 0 && is_the_one;
  SendGreeting(node.out.id, asks_in ? PacketType::kMeet : PacketType::kPing, &node);
}

// Everybody (or our primary, its replicas, and our own) is told now how we see things.
void Cluster::BroadcastPong(To to) {
  const Node* shard = myself_->primary == nullptr ? myself_ : myself_->primary;
  for (const auto& [id, node] : nodes_) {
    if (node.get() == myself_ || node->in_handshake() || !node->out.connected) continue;
    if (to == To::kShard && node.get() != shard && node->primary != shard) continue;
    SendGreeting(node->out.id, PacketType::kPong, node.get());
  }
}

void Cluster::Broadcast(const Packet& packet) {
  if (vital_ && !Save(ClusterPort::Durability::kSynced)) return;
  const auto bytes = std::make_shared<const std::string>(Encode(packet));
  for (const auto& [id, node] : nodes_) {
    if (node.get() == myself_ || node->in_handshake() || !node->out.connected) continue;
    ++counts_.sent[static_cast<size_t>(packet.type)];
    port_.Send(node->out.id, bytes);
  }
}

// Tells whoever is behind this link what it has missed.
void Cluster::SendUpdate(LinkId link, const Node& about) {
  Packet packet = Header(PacketType::kUpdate);
  packet.about = about.id;
  packet.about_epoch = about.config_epoch;
  about.slots.ForEach([&](int slot) {
    if (!unclaimed_.Has(slot)) packet.about_slots.Add(slot);
  });
  SendPacket(link, packet);
}

void Cluster::SendFail(const Node& about) {
  Packet packet = Header(PacketType::kFail);
  packet.about = about.id;
  Broadcast(packet);
}

void Cluster::Publish(bool sharded, std::string_view channel, std::string_view message) {
  Packet packet = Header(sharded ? PacketType::kPublishShard : PacketType::kPublish);
  packet.channel = channel;
  packet.message = message;
  if (!sharded) return Broadcast(packet);
  const Node* shard = myself_->primary == nullptr ? myself_ : myself_->primary;
  if (vital_ && !Save(ClusterPort::Durability::kSynced)) return;
  const auto bytes = std::make_shared<const std::string>(Encode(packet));
  for (const auto& [id, node] : nodes_) {
    if (node.get() == myself_ || !node->out.connected || (node.get() != shard && node->primary != shard))
      continue;
    ++counts_.sent[static_cast<size_t>(packet.type)];
    port_.Send(node->out.id, bytes);
  }
}

}  // namespace cinnabar::cluster
