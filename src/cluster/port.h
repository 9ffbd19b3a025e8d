// ClusterPort: what the cluster machine does to the world. Sans-I/O: the server plugs sockets, the nodes
// file, replication and the keyspace in here, the simulator (DESIGN §16) virtual ones.
//
// The calls come from inside the machine's own functions: an implementation must not call the machine back
// before it has returned. Views are good during the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "cluster/slots.h"

namespace cinnabar::cluster {

// One connection of the bus, in either direction. Never used again; 0 is none.
using LinkId = uint64_t;

// Where this node stands as a replica.
struct ReplicationView {
  // Of the stream: what a primary has written, what a replica has applied.
  uint64_t offset = 0;
  // A replica's connection to its primary is up.
  bool link_up = false;
  // How long ago the primary's stream was last heard of. A replica that never had one: very long.
  Millis silence = 0;
};

class ClusterPort {
 public:
  virtual ~ClusterPort() = default;

  // ---- the bus
  // Begin to connect; answer with Cluster::Connected or Cluster::Closed.
  virtual void Connect(LinkId link, const std::string& ip, int bus_port) = 0;
  // The bytes of one packet, behind what was sent before. One packet may go to many. What cannot leave soon
  // is kept, up to the limit of the implementation, which then closes the link and reports it.
  virtual void Send(LinkId link, std::shared_ptr<const std::string> packet) = 0;
  // Close it, without reporting it with Closed.
  virtual void Close(LinkId link) = 0;
  // Memory of what waits to be sent on a link, and how much of it is used.
  struct SendBuffer {
    size_t allocated = 0;
    size_t used = 0;
  };
  virtual SendBuffer SendBufferOf(LinkId link) const = 0;
  // All links together.
  struct LinkTotals {
    size_t memory = 0;        // with what waits on them
    uint64_t over_limit = 0;  // were closed because more waited than the limit allows
  };
  virtual LinkTotals TotalsOfLinks() const = 0;

  // ---- the nodes file
  enum class Durability : uint8_t { kWritten, kSynced };
  // Writes Cluster::FileText(), whole or not at all, before it returns. kSynced: it survives a crash of the
  // machine.
  virtual Status Save(Durability durability) = 0;

  // ---- replication
  virtual ReplicationView Replication() = 0;
  // Be a replica of the server at this address, or of nobody. Follow for whom we follow already is harmless.
  virtual void Follow(const std::string& ip, int port) = 0;
  virtual void FollowNobody() = 0;
  // A manual failover: clients may not write for as long, from now, and the stream stands still (no pings to
  // replicas either): the replica waits until it has exactly as much. Again: the later end wins.
  virtual void PauseWrites(Millis period) = 0;
  virtual void ResumeWrites() = 0;

  // ---- the keyspace
  virtual size_t CountKeys(int slot) = 0;
  // No key in any slot.
  virtual bool Empty() = 0;
  // Another node has these slots now: their keys go, here and on our replicas.
  virtual void DropKeys(const SlotSet& slots) = 0;
  // CLUSTER RESET of a replica: all keys go.
  virtual void DropAllKeys() = 0;

  // ---- what clients see
  // What Cluster tells about slots or about the state has changed: redirections, clients that wait for keys
  // of slots that are elsewhere now, subscriptions to sharded channels.
  virtual void RoutingChanged() = 0;
  // PUBLISH of a client of another node.
  virtual void Deliver(bool sharded, std::string_view channel, std::string_view message) = 0;

  virtual void Log(LogLevel level, std::string_view text) = 0;
};

}  // namespace cinnabar::cluster
