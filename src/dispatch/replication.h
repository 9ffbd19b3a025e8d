// Replication: the port through which commands and gates ask about the server's role, and replicas'
// connections are served (DESIGN §12).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cinnabar::dispatch {

struct Session;

// What a connection of a replica sends besides replies: a snapshot, and then the stream. Owned by its session
// and used on the session's core; others look at it with the world stopped.
class Feed {
 public:
  virtual ~Feed() = default;
  // Whether the connection is a replica's: its PSYNC or SYNC was accepted.
  virtual bool replica() const = 0;
  // Moves text that goes before everything else to the session's output.
  virtual void MoveText() = 0;
  // Whether something is to be sent behind the session's output.
  virtual bool ready() const = 0;
  // Fills up to `limit` iovecs with the next bytes; they are valid until Sent. 0: nothing at the moment.
  virtual int Gather(iovec* vectors, int limit) = 0;
  virtual void Sent(uint64_t bytes) = 0;
  // About ten times a second. Not empty: why the connection has to be closed, for the log.
  virtual std::string Tick() = 0;
  // Whether more waits for the connection than its limit allows at any moment.
  virtual bool over_limit() const = 0;
  // Bytes that wait for the connection beyond its session's output; they are shared with others.
  virtual uint64_t pending_bytes() const = 0;
};

// One replica, as ROLE and INFO show it.
struct ReplicaFacts {
  std::string address;
  int64_t port = 0;
  std::string state;
  uint64_t offset = 0;  // acknowledged
  int64_t lag_seconds = 0;
  bool online = false;
};

// Our primary, as ROLE and INFO show it.
struct PrimaryFacts {
  std::string host;
  int64_t port = 0;
  std::string state;  // ROLE's word
  bool up = false;
  bool syncing = false;
  int64_t last_io_seconds = -1;
  int64_t down_seconds = 0;
  uint64_t read_offset = 0;
  uint64_t offset = 0;
  std::optional<uint64_t> sync_total_bytes;
  uint64_t sync_read_bytes = 0;
  int64_t sync_last_io_seconds = 0;
};

// Where the data set stands in its history. No id: in none that could be continued.
struct StreamPlace {
  std::string id;
  uint64_t offset = 0;
  int database = 0;  // selected in the stream there
};

struct AcknowledgedCopies {
  int64_t in_memory = 0;  // replicas that have it
  int64_t on_disk = 0;    // replicas that have it on disk
};

// With the world stopped, unless said otherwise.
class Replication {
 public:
  virtual ~Replication() = default;

  // REPLCONF. The session's core; writes the reply.
  virtual void Configure(Session& session, std::span<const std::string_view> argv) = 0;
  // PSYNC and SYNC.
  virtual void Synchronise(Session& session, std::span<const std::string_view> argv) = 0;

  // How many replicas have acknowledged the journal up to `offset`. Any core, any time, as the next two.
  virtual AcknowledgedCopies CopiesOf(uint64_t offset) const = 0;
  // Asks replicas to acknowledge what they have, soon.
  virtual void AskForAcknowledgements() = 0;
  // Whether as many replicas keep up as min-replicas-to-write asks for.
  virtual bool EnoughReplicas() const = 0;

  // Whether there is a stream that replicas follow, or may come back to.
  virtual bool keeps_stream() const = 0;
  // Whether the server follows a primary. Any core, inside a batch, as the next.
  virtual bool follows() const = 0;
  virtual bool link_is_up() const = 0;
  virtual StreamPlace Place() const = 0;
  virtual PrimaryFacts Primary() const = 0;
  // Memory of the stream that is kept, each byte once: for those who come back, and for slow replicas
  // besides.
  struct StreamMemory {
    uint64_t backlog = 0;
    uint64_t beyond = 0;
  };
  // Any core.
  virtual StreamMemory KeptMemory() const = 0;
  virtual std::vector<ReplicaFacts> ReplicaList() const = 0;

  // REPLICAOF: follows this primary from now on. False: it does already.
  virtual bool Follow(const std::string& host, int64_t port) = 0;
  // REPLICAOF NO ONE. False: it follows nobody.
  virtual bool FollowNobody() = 0;
  // Gives the stream of changes a new identity, so that no replica can go on from the old one.
  virtual void ChangeId() = 0;

  // FAILOVER: hands the role over to a replica. The errors are texts for the client.
  struct FailoverRequest {
    std::string host;  // empty: whichever replica has everything first
    int64_t port = 0;
    bool force = false;
    Millis timeout = 0;  // 0: none
  };
  virtual bool failing_over() const = 0;
  virtual Status BeginFailover(const FailoverRequest& request) = 0;
  virtual Status AbortFailover() = 0;
};

}  // namespace cinnabar::dispatch
