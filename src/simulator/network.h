// A network of byte streams that behaves as TCP does on a bad day, in virtual time.
//
// Bytes of one direction of a connection arrive in order, cut into other pieces than they were sent in, late,
// or not at all: a connection may be cut, with the loss of what was on the way, and its two ends learn of it
// at different times; a way between two nodes may be blocked in one direction, which delays what is on it; a
// node that dies leaves connections whose other end may hear of it, or never. Between connections there is no
// order.
//
// Deterministic: everything is drawn from one source of random numbers. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "simulator/event_queue.h"

namespace cinnabar::simulator {

// 0: none.
using ConnectionId = uint32_t;

// A process on a node. Calls come from events, never from inside the process's own calls of the network.
class NetworkUser {
 public:
  virtual ~NetworkUser() = default;
  virtual void OnAccepted(ConnectionId connection, int peer) = 0;
  virtual void OnConnected(ConnectionId connection) = 0;
  virtual void OnBytes(ConnectionId connection, std::string_view bytes) = 0;
  // Some of what was sent has arrived.
  virtual void OnWritable(ConnectionId connection) = 0;
  // It ended, or could not be established; the id means nothing any more.
  virtual void OnClosed(ConnectionId connection) = 0;
};

class Network {
 public:
  Network(EventQueue& events, Random& random, int nodes);

  // How long a piece is under way, in milliseconds: mostly less than `usual`, now and then less than `slow`.
  struct Delays {
    uint64_t usual = 8;
    uint64_t slow = 800;
    uint64_t one_in = 40;
  };
  void SetDelays(const Delays& delays) { delays_ = delays; }

  // The process that runs on a node; null: none.
  void SetUser(int node, NetworkUser* user) { users_[static_cast<size_t>(node)] = user; }

  ConnectionId Connect(int from, int to);
  void Send(ConnectionId id, int from, std::string bytes);
  // What was sent and has not arrived.
  size_t Underway(ConnectionId id, int from) const;
  // What was sent before still arrives.
  void Close(ConnectionId id, int from);

  // The process of a node is gone.
  void Crash(int node);
  // Cuts one of the connections, if there are any.
  void CutAny();
  // Nothing passes that way until then.
  void Block(int from, int to, Millis until);
  // Everything takes up to that much longer that way until then.
  void Slow(int from, int to, Millis more, Millis until);
  void HealAll();
  bool Blocked(int from, int to) const;

  // A fingerprint of everything that has arrived so far, with its time.
  uint64_t digest() const { return digest_; }

 private:
  struct Segment {
    Millis at;
    std::string bytes;
    bool end;
  };
  struct Way {
    std::deque<Segment> segments;
    size_t underway = 0;
    Millis last_at = 0;
    bool pumping = false;
  };
  struct Connection {
    std::array<int, 2> nodes;
    std::array<bool, 2> open;  // as the node sees it
    std::array<Way, 2> ways;   // ways[s]: from side s to the other
  };

  Connection* Find(ConnectionId id);
  static int SideOf(const Connection& connection, int node) { return connection.nodes[0] == node ? 0 : 1; }
  Millis Delay();
  void Establish(ConnectionId id);
  void Push(ConnectionId id, int side, Segment segment);
  void Pump(ConnectionId id, int side);
  void LoseTail(Way& way);
  void CutConnection(ConnectionId id);
  void Note(int node, ConnectionId id, std::string_view bytes);

  EventQueue& events_;
  Random& random_;
  std::vector<NetworkUser*> users_;
  struct Slowness {
    Millis more;
    Millis until;
  };

  Delays delays_;
  std::map<std::pair<int, int>, Millis> blocked_until_;
  std::map<std::pair<int, int>, Slowness> slow_;
  std::map<ConnectionId, Connection> connections_;
  ConnectionId last_id_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace cinnabar::simulator
