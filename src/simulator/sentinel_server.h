// A machine on which a server runs: a Node, with its replication below, and the commands that sentinels and
// clients send. It stands between the network and the node's process: connections of other servers are the
// process's own.
//
// What it is (primary, or whose replica) is in its config file, which CONFIG REWRITE writes, and it is that
// again after a restart.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/sentinel_wire.h"
#include "simulator/sentinel_world.h"

namespace cinnabar::simulator {

class ServerHost final : public NetworkUser {
 public:
  ServerHost(SentinelWorld& world, int number);

  Node& node() { return node_; }
  const Node& node() const { return node_; }
  bool running() const { return node_.running(); }

  void Start(Node::Disk disk);
  void Crash();
  // The write that ended there is acknowledged by as many replicas as it takes.
  void AnswerWrite(const Position& position);

  // NetworkUser
  void OnAccepted(ConnectionId connection, int peer) override;
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId connection) override;
  void OnClosed(ConnectionId connection) override;

 private:
  using Words = std::vector<std::string>;
  struct Session {
    RequestReader reader;
    bool in_transaction = false;
    std::vector<Words> queued;
    bool subscribed = false;
  };
  struct Unanswered {
    Position position;
    ConnectionId connection;
  };

  void TakeBytes(ConnectionId connection, const std::string& bytes);
  void EndSession(ConnectionId connection);
  std::string Execute(ConnectionId connection, Session& session, const Words& words);
  std::string Run(ConnectionId connection, const Words& words);
  std::string RunTransaction(ConnectionId connection, Session& session);
  std::string Info() const;
  std::string RoleReply() const;
  std::string ReplicaOf(const Words& words);
  std::string Rewrite();
  std::string KillClients(ConnectionId connection, const Words& words);
  std::string Subscribe(ConnectionId connection, const Words& words);
  std::string Publish(const Words& words);
  std::string Write(ConnectionId connection, const Words& words);
  void Trace(std::string_view what) const;

  SentinelWorld& world_;
  Node node_;
  std::optional<int> followed_on_disk_;  // what the config file says; none: it is a primary
  std::string run_id_;
  std::map<ConnectionId, Session> sessions_;  // of sentinels and clients
  std::deque<Unanswered> unanswered_;
};

}  // namespace cinnabar::simulator
