// A client of a cluster: it writes keys that nobody else writes, one after the other, where it believes their
// slots are, and goes where it is sent. What it is told is its only source; when nobody answers it asks
// anybody.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/reply_parser.h"
#include "simulator/cluster_world.h"

namespace cinnabar::simulator {

class ClusterClient final : public NetworkUser {
 public:
  ClusterClient(ClusterWorld& world, int number) : world_(world), node_(world.ClientNode(number)) {}

  void Start();
  // It begins nothing more.
  void Rest() { resting_ = true; }
  uint64_t answered() const { return answered_; }

  // NetworkUser
  void OnAccepted(ConnectionId, int) override {}
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId) override {}
  void OnClosed(ConnectionId connection) override;

 private:
  struct Server {
    ConnectionId connection = 0;
    bool connected = false;
    std::string output;  // until it is connected
    protocol::ReplyParser replies;
  };
  struct Request {
    int host;
    int slot;
    std::string key;
    Millis begun_at;
    int redirected = 0;
    bool asking = false;  // the reply of ASKING comes first
  };

  void Turn();
  void Begin();
  void Send(int host, bool asking);
  void Leave(int host);
  void TakeReply(const protocol::Reply& reply);
  void GoWhereItSays(std::string_view error);
  void GiveUp();

  ClusterWorld& world_;
  const int node_;
  bool resting_ = false;
  std::map<int, Server> servers_;  // by host
  std::map<int, int> where_;       // slots
  std::optional<Request> request_;
  uint64_t begun_ = 0;
  uint64_t answered_ = 0;
};

}  // namespace cinnabar::simulator
