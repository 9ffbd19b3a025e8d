#include "simulator/cluster_bus.h"

#include <utility>

#include "cluster/packet.h"
#include "simulator/cluster_watch.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {
namespace {

constexpr size_t kUnderwayMax = 8 << 20;

}  // namespace

bool ClusterBus::Connect(LinkId link, const std::string& ip, int port) {
  const auto host = NodeAt(ip);
  if (!host || !world_.IsServer(*host) || port != kBusPort) return false;
  const ConnectionId connection = world_.network.Connect(world_.BusNode(host_), world_.BusNode(*host));
  links_[link] = {.connection = connection, .host = *host, .input = {}};
  ids_[connection] = link;
  return true;
}

bool ClusterBus::Send(LinkId link, std::string packet) {
  const auto it = links_.find(link);
  if (it == links_.end()) return true;
  if (world_.network.Underway(it->second.connection, world_.BusNode(host_)) > kUnderwayMax) {
    Close(link);
    return false;
  }
  bytes_sent_ += packet.size();
  world_.network.Send(it->second.connection, world_.BusNode(host_), std::move(packet));
  return true;
}

void ClusterBus::Close(LinkId link) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  world_.network.Close(it->second.connection, world_.BusNode(host_));
  ids_.erase(it->second.connection);
  links_.erase(it);
}

int ClusterBus::PeerOf(LinkId link) const {
  const auto it = links_.find(link);
  return it == links_.end() ? -1 : it->second.host;
}

void ClusterBus::Crash() {
  world_.network.Crash(world_.BusNode(host_));
  links_.clear();
  ids_.clear();
}

void ClusterBus::OnAccepted(ConnectionId connection, int peer) {
  gate_.Pass([this, connection, host = peer - world_.options.hosts] {
    const LinkId link = user_.LinkAccepted(AddressOf(host));
    if (link == 0) return;
    links_[link] = {.connection = connection, .host = host, .input = {}};
    ids_[connection] = link;
  });
}

void ClusterBus::OnConnected(ConnectionId connection) {
  gate_.Pass([this, connection] {
    const auto it = ids_.find(connection);
    if (it != ids_.end()) user_.LinkConnected(it->second);
  });
}

void ClusterBus::OnClosed(ConnectionId connection) {
  gate_.Pass([this, connection] {
    const auto it = ids_.find(connection);
    if (it == ids_.end()) return;
    const LinkId link = it->second;
    ids_.erase(it);
    links_.erase(link);
    user_.LinkClosed(link);
  });
}

void ClusterBus::OnBytes(ConnectionId connection, std::string_view bytes) {
  if (!gate_.closed()) return TakeBytes(connection, bytes);
  gate_.Pass([this, connection, text = std::string(bytes)] { TakeBytes(connection, text); });
}

void ClusterBus::TakeBytes(ConnectionId connection, std::string_view bytes) {
  const auto id = ids_.find(connection);
  if (id == ids_.end()) return;
  const LinkId link = id->second;
  links_[link].input += bytes;
  // The machine may close the link.
  for (auto it = links_.find(link); it != links_.end(); it = links_.find(link)) {
    std::string& input = it->second.input;
    if (input.size() < cluster::kLengthBytes) return;
    const auto length = cluster::PacketLength(input);
    if (!length) return world_.watch.Broken("what a node is sent on the bus is no packet");
    if (input.size() < *length) return;
    std::string packet = input.size() == *length ? std::exchange(input, {}) : input.substr(0, *length);
    if (!input.empty()) input.erase(0, *length);
    user_.PacketCame(link, it->second.host, packet);
  }
}

}  // namespace cinnabar::simulator
