// What clients of a simulated cluster node get: its data by key and slot, and where else to go. It stands
// between the network and the process of replication: connections of other servers are the process's own.
//
// Commands: SET key value, ASKING. Replies: OK, MOVED, ASK, CLUSTERDOWN.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/slots.h"
#include "simulator/cluster_world.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {

class ClusterHost;

class ClusterServer final : public NetworkUser {
 public:
  using Words = std::vector<std::string>;
  using Done = std::function<void()>;

  ClusterServer(ClusterWorld& world, ClusterHost& host, NodeOptions& options)
      : world_(world), host_(host), options_(options) {}

  // The process is gone.
  void Forget();
  // Its role has changed.
  void FollowsNow();
  void LeadsNow();
  void Pause(Millis until);
  void Resume();
  Millis heard_from_primary_at() const { return heard_at_; }

  std::vector<std::string> KeysIn(int slot) const;
  void DropKeys(const cluster::SlotSet& slots);
  void DropAllKeys();
  // Without routing: what people do when they move keys. `done`: as much as is asked for has it.
  void Write(const Words& words, Done done);
  // What it answers a client that writes to this slot. Empty: it would take the write.
  std::string Redirection(int slot, std::string_view key, bool asking) const;
  // So many replicas as were asked for have it.
  void Acknowledged(const AnsweredWrite& write);

  // NetworkUser
  void OnAccepted(ConnectionId connection, int peer) override;
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId connection) override;
  void OnClosed(ConnectionId connection) override;

 private:
  struct Session {
    RequestReader reader;
    bool asking = false;
  };
  struct Pending {
    Position position;
    std::string key;
    Done done;
  };
  struct Held {
    ConnectionId connection;
    Words words;
    bool asking;
  };

  void TakeBytes(ConnectionId connection, const std::string& bytes);
  void Execute(ConnectionId connection, Session& session, const Words& words);
  void Set(ConnectionId connection, const Words& words, bool asking);
  void Reply(ConnectionId connection, std::string text);
  void ServeHeld();
  // All replicas that its machine knows, whether they can be reached or not.
  std::set<int> KnownReplicas() const;
  void NoteAcknowledged(const std::string& key, const std::vector<int>& holders) const;

  ClusterWorld& world_;
  ClusterHost& host_;
  NodeOptions& options_;
  std::map<ConnectionId, Session> sessions_;
  std::set<ConnectionId> accepted_;  // of other servers
  std::deque<Pending> pending_;
  std::deque<Held> held_;
  Millis paused_until_ = 0;
  Millis heard_at_ = 0;
  bool drop_all_ = false;
};

}  // namespace cinnabar::simulator
