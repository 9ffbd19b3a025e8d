// The text of the nodes file (nodes.conf) and of CLUSTER NODES: one node a line, and a last line of variables
// in the file.
//
//   ID IP:PORT@BUSPORT[,HOSTNAME] FLAGS PRIMARY|- PING PONG EPOCH connected|disconnected [SLOTS…]
//   vars currentEpoch N lastVoteEpoch N
//
// 7.2 adds ",NAME=VALUE" after the host name (shard-id, nodename …). The line:
// https://redis.io/docs/latest/commands/cluster-nodes/. Both forms are read; what is not known after a comma
// is left out.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/node_id.h"
#include "cluster/packet.h"
#include "cluster/slots.h"

namespace cinnabar::cluster {

// What one line says.
struct NodeRecord {
  NodeId id;
  std::string ip;  // empty: not known
  int port = 0;
  int bus_port = 0;
  std::string hostname;
  std::string human_name;  // 7.2: nodename=
  NodeId shard;            // 7.2: shard-id=
  uint16_t flags = 0;      // NodeFlag
  NodeId primary;
  Millis ping_sent = 0;  // Unix time; 0: none is awaited
  Millis pong_received = 0;
  Epoch config_epoch = 0;
  bool connected = false;
  SlotSet slots;
  // Slots on their way, and to whom or from whom; of the node itself only. Ascending.
  std::vector<std::pair<int, NodeId>> migrating;
  std::vector<std::pair<int, NodeId>> importing;

  bool operator==(const NodeRecord&) const = default;
};

struct ClusterRecord {
  std::vector<NodeRecord> nodes;  // exactly one has kMyselfFlag
  Epoch current_epoch = 0;
  Epoch last_vote_epoch = 0;

  bool operator==(const ClusterRecord&) const = default;
};

// kOld: as 7.0 writes and reads it, without human names and shards: it takes all behind the first comma for
// the host name.
enum class NodesForm : uint8_t { kOld, kNew };

// One line, without its end.
std::string NodeLine(const NodeRecord& node, NodesForm form);
// The names of the flags, with commas between: "myself,master", "slave,fail?", "noflags".
std::string FlagNames(uint16_t flags);

std::string NodesText(const ClusterRecord& cluster, NodesForm form);
// The error says which line, and what is wrong. A slot has one owner; a primary that a line names must be
// there. A text whose last line has no end is refused: it was cut.
Result<ClusterRecord> ParseNodes(std::string_view text);

}  // namespace cinnabar::cluster
