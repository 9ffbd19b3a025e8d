// What packets mean.
#include <fmt/format.h>

#include "cluster/cluster.h"

namespace cinnabar::cluster {

void Cluster::Received(LinkId link, std::string_view bytes, std::string_view local_ip) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const Result<Packet> decoded = Decode(bytes);
  if (!decoded) {
    ++counts_.refused;
    if (bytes.size() >= kHeaderBytes && static_cast<size_t>(TypeOf(bytes)) < counts_.received.size())
      ++counts_.received[static_cast<size_t>(TypeOf(bytes))];
    port_.Log(LogLevel::kDebug,
              fmt::format("A packet from {} is refused: {}", found->second.ip, decoded.error().message));
    return;
  }
  const Packet& packet = *decoded;
  if (static_cast<int64_t>(packet.type) == faults_.dropped_type) return DropPacket(link);
  ++counts_.received[static_cast<size_t>(packet.type)];
  const auto known = nodes_.find(packet.sender);
  Node* sender = known == nodes_.end() || known->second->in_handshake() ? nullptr : known->second.get();
  const Peer peer = found->second;  // a copy: the link may go
  const Incoming in{.link = link,
                    .packet = packet,
                    .sender = sender == myself_ ? nullptr : sender,
                    .target = peer.outgoing ? peer.node : nullptr,
                    .peer_ip = peer.ip,
                    .local_ip = local_ip};
  if (in.target != nullptr) in.target->data_received = now();
  if (in.sender != nullptr) {
    in.sender->data_received = now();
    Listens(link, *in.sender);
    NoteEpochs(in);
  }
  if (packet.type <= PacketType::kMeet) {
    TakeGreeting(in);
  } else if (in.sender != nullptr) {
    TakeOther(in);
  }
  Finish();
}

// Somebody wants to see what comes of a packet that is lost.
void Cluster::DropPacket(LinkId link) {
  port_.Log(LogLevel::kWarning, "Packet that matches debug drop filter dropped");
  if (!faults_.drop_closes) return;
  Closed(link);
  port_.Close(link);
}

void Cluster::TakeOther(const Incoming& in) {
  switch (in.packet.type) {
    case PacketType::kFail:
      return TakeFail(in);
    case PacketType::kPublish:
    case PacketType::kPublishShard:
      return port_.Deliver(in.packet.type == PacketType::kPublishShard, in.packet.channel, in.packet.message);
    case PacketType::kVoteRequest:
      return TakeVoteRequest(in);
    case PacketType::kVote:
      return TakeVote(in);
    case PacketType::kUpdate:
      return TakeUpdate(in);
    case PacketType::kManualFailover:
      return TakeManualFailover(in);
    default:
      return;
  }
}

void Cluster::NoteEpochs(const Incoming& in) {
  Node& sender = *in.sender;
  if (in.packet.current_epoch > current_epoch_) {
    current_epoch_ = in.packet.current_epoch;
    Changed(Change::kMinor);
  }
  // A replica's packet has the epoch of its primary.
  if (in.packet.primary.empty() && in.packet.config_epoch > sender.config_epoch) {
    sender.config_epoch = in.packet.config_epoch;
    Changed(Change::kMinor);
  }
  sender.offset = in.packet.offset;
  sender.offset_at = now();
  const bool paused = (in.packet.packet_flags & kPausedFlag) != 0;
  if (manual_.end != 0 && myself_->primary == &sender && paused && !manual_.offset) {
    manual_.offset = sender.offset;
    port_.Log(
        LogLevel::kWarning,
        fmt::format("Received replication offset for paused master manual failover: {}", sender.offset));
  }
}

// A PING, PONG or MEET.
void Cluster::TakeGreeting(const Incoming& in) {
  const bool asks = in.packet.type != PacketType::kPong;
  if (asks) {
    NoteMyAddress(in);
    if (in.sender == nullptr && in.packet.type == PacketType::kMeet && in.packet.sender != myself_->id)
      MeetStranger(in);
    SendGreeting(in.link, PacketType::kPong, in.sender);
  }
  if (in.target != nullptr && !TakeHandshake(in)) return;
  // Who was a stranger before this packet may be known now.
  Node* sender = in.sender;
  if (sender == nullptr && in.target != nullptr && in.target->id == in.packet.sender) sender = in.target;
  const Incoming known{.link = in.link,
                       .packet = in.packet,
                       .sender = sender,
                       .target = in.target,
                       .peer_ip = in.peer_ip,
                       .local_ip = in.local_ip};
  if (in.target != nullptr && !asks) TakePong(*in.target);
  if (sender == nullptr) return;
  if (in.packet.type == PacketType::kPing && NoteAddress(*sender, in.peer_ip, in.packet)) state_due_ = true;
  const bool succeeds_us = NoteRole(known);
  NoteExtensions(known);
  if (succeeds_us && epoch_is_alone_ && known.packet.config_epoch == myself_->config_epoch)
    YieldTo(*known.sender, known.packet.slots);
  NoteSlots(known);
  TakeGossip(known);
}

// Somebody reached us: that tells which address we have, unless somebody has told us.
void Cluster::NoteMyAddress(const Incoming& in) {
  if (!options_.announce_ip.empty() || in.local_ip.empty()) return;
  if (in.packet.type != PacketType::kMeet && !myself_->ip.empty()) return;
  if (myself_->ip == in.local_ip) return;
  myself_->ip = in.local_ip;
  port_.Log(LogLevel::kWarning, fmt::format("IP address for this node updated to {}", myself_->ip));
  Changed(Change::kMinor);
}

// A node that does not know us asks us in: somebody has told it to. We ask it who it is.
void Cluster::MeetStranger(const Incoming& in) {
  if (Node* node = StartHandshake(AddressOf(in), in.packet.port, in.packet.bus_port))
    node->plain_port = in.packet.plain_port;
}

// False: the packet is done with, and the node that we had connected to may be gone.
bool Cluster::TakeHandshake(const Incoming& in) {
  Node& target = *in.target;
  if (target.in_handshake()) {
    if (in.sender != nullptr || in.packet.sender == myself_->id) {
      // We know it already, under its name; the address may be a new one.
      port_.Log(LogLevel::kVerbose,
                fmt::format("Handshake: we already know node {} ({}:{}), updating the address if needed.",
                            in.packet.sender.text(), target.ip, target.port));
      if (in.sender != nullptr) NoteAddress(*in.sender, target.ip, in.packet);
      RemoveNode(target);
      return false;
    }
    port_.Log(LogLevel::kDebug, fmt::format("Handshake with node {} completed.", in.packet.sender.text()));
    constexpr uint16_t kRoles = kPrimaryFlag | kReplicaFlag;
    target.flags = static_cast<uint16_t>((target.flags & ~kHandshakeFlag) | (in.packet.flags & kRoles));
    Rename(target, in.packet.sender);
    state_due_ = true;
    return true;
  }
  if (target.id == in.packet.sender) return true;
  // Another node lives at this address now.
  port_.Log(LogLevel::kDebug,
            fmt::format("PONG contains mismatching sender ID. About node {} added {} ms ago",
                        target.id.text(), now() - target.created));
  target.flags |= kNoAddressFlag;
  target.ip.clear();
  target.port = 0;
  target.plain_port = 0;
  target.bus_port = 0;
  CloseOut(target);
  Changed(Change::kMinor);
  return false;
}

void Cluster::TakePong(Node& node) {
  node.pong_received = now();
  node.ping_sent = 0;
  if (node.Is(kMaybeFailedFlag)) {
    node.flags = static_cast<uint16_t>(node.flags & ~kMaybeFailedFlag);
    state_due_ = true;
  } else if (node.failed()) {
    ClearFailureIfDue(node);
  }
}

// True: it has moved.
bool Cluster::NoteAddress(Node& node, std::string_view ip, const Packet& packet) {
  const std::string_view at = packet.ip.empty() ? ip : std::string_view(packet.ip);
  if (node.ip == at && node.port == packet.port && node.bus_port == packet.bus_port &&
      node.plain_port == packet.plain_port)
    return false;
  node.ip = at;
  node.port = packet.port;
  node.bus_port = packet.bus_port;
  node.plain_port = packet.plain_port;
  node.flags = static_cast<uint16_t>(node.flags & ~kNoAddressFlag);
  CloseOut(node);
  port_.Log(LogLevel::kWarning,
            fmt::format("Address updated for node {}, now {}:{}", node.id.text(), node.ip, node.port));
  Changed(Change::kMinor);
  routing_changed_ = true;
  return true;
}

bool Cluster::NoteRole(const Incoming& in) {
  Node& sender = *in.sender;
  const bool succeeds_us = in.packet.primary.empty() && sender.primary == myself_;
  const auto no_failover = static_cast<uint16_t>(in.packet.flags & kNoFailoverFlag);
  sender.flags = static_cast<uint16_t>((sender.flags & ~kNoFailoverFlag) | no_failover);
  if (in.packet.primary.empty()) {
    BecomesPrimary(sender);
  } else {
    if (sender.is_primary() || !sender.is_replica()) BecomesReplica(sender);
    const auto found = nodes_.find(in.packet.primary);
    Node* primary = found == nodes_.end() || found->second.get() == &sender ? nullptr : found->second.get();
    if (primary != nullptr && primary != sender.primary) {
      SetPrimary(sender, primary);
      Changed(Change::kMinor);
      routing_changed_ = true;
    }
  }
  // Whom we follow follows somebody else: so do we.
  Node* above = myself_->primary == nullptr ? nullptr : myself_->primary->primary;
  if (above == nullptr || above == myself_) return succeeds_us;
  port_.Log(LogLevel::kNotice, fmt::format("I'm a sub-replica! Reconfiguring myself from {} to {}",
                                           myself_->primary->id.text(), above->id.text()));
  FollowNode(*above);
  return succeeds_us;
}

void Cluster::NoteSlots(const Incoming& in) {
  Node& sender = *in.sender;
  const Node* owner = sender.is_primary() ? &sender : sender.primary;
  if (owner != nullptr && owner->slots != in.packet.slots) {
    if (sender.is_primary()) TakeClaims(sender, in.packet.config_epoch, in.packet.slots);
    // Whoever claims what somebody has with a later epoch is told so: it has slept meanwhile. Unless we have
    // slept ourselves, and have not heard from that somebody: he may have given away what our file says that
    // he has.
    const Node* newer = nullptr;
    in.packet.slots.ForEach([&](int slot) {
      const Node* now_with = owners_[static_cast<size_t>(slot)];
      if (newer != nullptr || now_with == nullptr || now_with == &sender || unclaimed_.Has(slot)) return;
      if (now_with != myself_ && now_with->data_received == 0) return;
      if (now_with->config_epoch > in.packet.config_epoch) newer = now_with;
    });
    if (newer != nullptr && sender.out.connected) SendUpdate(sender.out.id, *newer);
  }
  if (sender.is_primary() && myself_->is_primary() && in.packet.config_epoch == myself_->config_epoch)
    ResolveEpochCollision(sender);
}

void Cluster::NoteExtensions(const Incoming& in) {
  Node& sender = *in.sender;
  const Packet& packet = in.packet;
  // Nodes of 7.0 set the flag only when they send a host name; later ones always, and then with their shard.
  const bool bare = !packet.hostname && !packet.human_name && packet.forgotten.empty();
  if ((packet.packet_flags & kHasExtensionsFlag) != 0 && (bare || packet.shard))
    sender.flags |= kExtensionsFlag;
  const auto set = [&](auto& field, const auto& value) {
    if (field == value) return;
    field = value;
    Changed(Change::kMinor);
    routing_changed_ = true;
  };
  set(sender.hostname, packet.hostname.value_or(""));
  if (packet.human_name) set(sender.human_name, *packet.human_name);
  if (packet.shard) set(sender.shard, *packet.shard);
  if (&sender == myself_->primary && packet.shard) set(myself_->shard, *packet.shard);
  for (const Forgotten& one : packet.forgotten) {
    const auto found = nodes_.find(one.id);
    if (found == nodes_.end()) continue;
    Node& node = *found->second;
    if (&node == myself_ || &node == myself_->primary || &node == &sender) continue;
    banned_[one.id] = now() + static_cast<Millis>(one.seconds) * kMillisPerSecond;
    RemoveNode(node);
  }
}

void Cluster::TakeFail(const Incoming& in) {
  const auto found = nodes_.find(in.packet.about);
  if (found == nodes_.end()) return;
  Node& node = *found->second;
  if (&node == myself_ || node.failed()) return;
  port_.Log(LogLevel::kNotice,
            fmt::format("FAIL message received from {} about {}", in.sender->id.text(), node.id.text()));
  MarkFailed(node);
}

void Cluster::TakeUpdate(const Incoming& in) {
  const auto found = nodes_.find(in.packet.about);
  if (found == nodes_.end() || found->second->in_handshake()) return;
  Node& node = *found->second;
  if (&node == myself_ || node.config_epoch >= in.packet.about_epoch) return;
  BecomesPrimary(node);
  node.config_epoch = in.packet.about_epoch;
  Changed(Change::kMinor);
  TakeClaims(node, in.packet.about_epoch, in.packet.about_slots);
}

}  // namespace cinnabar::cluster
