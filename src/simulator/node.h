// A node of the simulation: what a server does around the machines of replication/, with the data set of
// data_set.h instead of a keyspace and files, and virtual time instead of threads.
//
// A Node is the machine: it has a disk, which survives, and perhaps a running Process, which does not. The
// process is a primary (it has nobody to follow) or a replica, and serves replicas of its own in both roles.
//
// What it does in which order is what a server has to do; the checks of the simulation look over its shoulder
// (Watch).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "replication/ack_quorum.h"
#include "replication/backlog.h"
#include "replication/history.h"
#include "replication/primary_link.h"
#include "replication/replica_link.h"
#include "replication/snapshot_schedule.h"
#include "simulator/data_set.h"
#include "simulator/gate.h"
#include "simulator/network.h"

namespace cinnabar::simulator {

using replication::History;
using replication::Position;
using replication::ReplicationId;
using replication::StreamOffset;

// Errors that are made on purpose, so that it can be shown that the checks find them.
enum class PlantedBug : uint8_t {
  kNone,
  kBacklogOffByOne,         // a replica is continued from the byte behind the one that it asks for
  kSecondIdWithoutEnd,      // after a promotion the old id is continued at any offset
  kAcknowledgesWhatItRead,  // instead of what it has applied
  kKeepsIdWithoutStream,    // writes that no stream carries leave the id as it is
  kCountsReplicasTwice,     // one that comes back counts on its dead link, too
};

// How the nodes of one run are set up.
struct NodeOptions {
  uint64_t backlog_bytes = replication::Backlog::kLimitMin;
  Millis timeout = 5000;
  Millis ping_period = 1000;
  Millis backlog_ttl = 0;  // 0: never
  bool diskless = true;
  Millis diskless_delay = 0;
  bool loads_beside_old_data = false;  // else the old data set goes when a payload begins
  bool acknowledges_batches = true;    // else only once a second and when it is asked
  int databases = 2;                   // 1: as in a cluster
  size_t acks_needed = 0;              // replicas that have a write before it is answered
  PlantedBug bug = PlantedBug::kNone;
};

// What was promised to a client, and who has it.
struct AnsweredWrite {
  Position position;         // behind its record
  std::vector<int> holders;  // nodes that have acknowledged it
};

class Node;

// What the checks want to know.
class Watch {
 public:
  virtual ~Watch() = default;
  // Its history has no past; what it has was that of `grown_from` before changes without a stream.
  virtual void OnRoot(const Node& node, std::optional<Position> grown_from) = 0;
  virtual void OnBranch(const Node& node) = 0;
  virtual void OnWritten(const Node& node) = 0;  // by a primary, into its stream
  virtual void OnState(const Node& node) = 0;    // by a replica: a new state
  virtual void OnAnswered(const Node& node, AnsweredWrite write) = 0;
  virtual void OnClaimed(const Node& node, const Position& applied) = 0;  // it says so to its primary
  virtual void Broken(std::string what) = 0;
  virtual bool tracing() const = 0;
  virtual void Trace(std::string line) = 0;

  uint64_t full_syncs = 0;
  uint64_t continued = 0;
  uint64_t shifts = 0;  // continued under another id
  uint64_t answered = 0;
};

class Process;

// Size: a machine, and what one may see of it; most functions are one look inside.
class Node {
 public:
  Node(int number, EventQueue& events, Network& network, Random& random, Watch& watch,
       const NodeOptions& options);
  ~Node();

  int number() const { return number_; }
  // Closed: its process is stopped. What the network brings it is passed through it by who stands between.
  Gate& gate() { return gate_; }
  const Gate& gate() const { return gate_; }
  bool running() const { return process_ != nullptr; }
  // Changes when what the node had acknowledged may be gone: it was restarted, or threw its data set away.
  uint64_t life() const { return life_; }
  // Changes when it begins with nothing, or with what is on its disk: it was restarted, or it had emptied its
  // data set for a payload that did not come.
  uint64_t beginnings() const { return beginnings_; }

  enum class Disk : uint8_t { kKept, kLost };
  // It begins as a replica of nobody that takes no writes: somebody tells it what it is.
  void Start(Disk disk);
  void Crash();

  // All below REQUIRES: running().
  void Save();  // what it is now goes to the disk
  void BecomePrimary();
  void Follow(int primary);
  // A client's write; without effect unless it is a primary. Several commands are a transaction.
  void Write(const std::vector<std::vector<std::string>>& commands);
  // For somebody who stands between the network and the process.
  NetworkUser& network_user();
  // No more pings, so that offsets can come to rest; and again.
  void HoldPings();
  void GoOnPinging();

  bool is_primary() const;
  std::optional<int> followed() const;
  // Whether there is a data set to read (none while a payload replaces it).
  bool readable() const;
  // Whether changes were made since the backlog was given up.
  bool streaming() const;
  bool link_online() const;
  Millis link_down_since() const;
  // Nodes that follow it.
  std::vector<int> followers() const;
  const History& history() const;
  StreamOffset offset() const;
  const DataSet& data() const;
  Position position() const { return {history().id(), offset()}; }
  std::string Description() const;

 private:
  friend class Process;
  struct Saved {
    std::string payload;
    History history;
    StreamOffset offset;
  };

  const int number_;
  EventQueue& events_;
  Network& network_;
  Random& random_;
  Watch& watch_;
  const NodeOptions& options_;
  Gate gate_;
  uint64_t life_ = 0;
  uint64_t beginnings_ = 0;
  std::optional<Saved> disk_;
  std::unique_ptr<Process> process_;
};

}  // namespace cinnabar::simulator
