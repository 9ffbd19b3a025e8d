// What one cluster node knows about each node. Plain data that CLUSTER commands show.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/node_id.h"
#include "cluster/packet.h"
#include "cluster/port.h"
#include "cluster/slots.h"

namespace cinnabar::cluster {

// One connection, as CLUSTER LINKS shows it.
struct Link {
  LinkId id = 0;
  bool connected = false;
  Millis created = 0;
};

// Times are those of Cluster::now(); 0 is never.
struct Node {
  NodeId id;
  uint16_t flags = 0;  // NodeFlag

  // Where it is.
  std::string ip;  // empty: not known
  int port = 0;
  int plain_port = 0;
  int bus_port = 0;
  std::string hostname;
  std::string human_name;
  NodeId shard;

  // What it said last.
  Epoch config_epoch = 0;
  uint64_t offset = 0;
  Millis offset_at = 0;

  Node* primary = nullptr;  // whom it follows; it need not be known
  std::vector<Node*> replicas;
  SlotSet slots;
  int slot_count = 0;

  // Our connection to it, and the one it has made to us.
  Link out;
  Link in;
  Millis created = 0;
  Millis ping_sent = 0;      // that is not answered yet
  Millis pong_received = 0;  // also what others have received, if that is later
  Millis data_received = 0;  // anything

  Millis failed_at = 0;    // since when it is kFailedFlag
  Millis voted_at = 0;     // when we voted for one of its replicas
  Millis orphaned_at = 0;  // since when it has no replica that works
  // Which primaries cannot reach it, and when they said so last.
  std::map<NodeId, Millis> reports;

  bool Is(uint16_t flag) const { return (flags & flag) != 0; }
  bool is_primary() const { return Is(kPrimaryFlag); }
  bool is_replica() const { return Is(kReplicaFlag); }
  bool failed() const { return Is(kFailedFlag); }
  bool in_handshake() const { return Is(kHandshakeFlag); }
  bool has_address() const { return !Is(kNoAddressFlag) && !ip.empty(); }
  // Primaries that count: they vote, and a majority of them is a majority.
  bool votes() const { return is_primary() && slot_count > 0; }
};

}  // namespace cinnabar::cluster
