// The bus of one simulated host: links of the machine over connections of the network, cut into packets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cluster/cluster.h"
#include "simulator/cluster_world.h"
#include "simulator/gate.h"

namespace cinnabar::simulator {

using cluster::LinkId;

// Who uses the bus. All calls come through the host's gate.
class BusUser {
 public:
  virtual ~BusUser() = default;
  virtual LinkId LinkAccepted(const std::string& peer_ip) = 0;
  virtual void LinkConnected(LinkId link) = 0;
  virtual void LinkClosed(LinkId link) = 0;
  virtual void PacketCame(LinkId link, int from, const std::string& packet) = 0;
};

class ClusterBus final : public NetworkUser {
 public:
  ClusterBus(ClusterWorld& world, int host, Gate& gate, BusUser& user)
      : world_(world), host_(host), gate_(gate), user_(user) {}

  // False: there is nobody at that address.
  bool Connect(LinkId link, const std::string& ip, int port);
  // False: too much is waiting, and the link is closed.
  bool Send(LinkId link, std::string packet);
  void Close(LinkId link);
  // The host at the other end, -1 if there is no such link.
  int PeerOf(LinkId link) const;
  void Crash();
  uint64_t bytes_sent() const { return bytes_sent_; }

  // NetworkUser
  void OnAccepted(ConnectionId connection, int peer) override;
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId) override {}
  void OnClosed(ConnectionId connection) override;

 private:
  struct Peer {
    ConnectionId connection = 0;
    int host = -1;
    std::string input;
  };

  void TakeBytes(ConnectionId connection, std::string_view bytes);

  ClusterWorld& world_;
  const int host_;
  Gate& gate_;
  BusUser& user_;
  std::map<LinkId, Peer> links_;
  std::map<ConnectionId, LinkId> ids_;
  uint64_t bytes_sent_ = 0;
};

}  // namespace cinnabar::simulator
