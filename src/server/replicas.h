// Replicas: the server seen by those who follow it: the history of the data set, the backlog of its stream,
// the snapshots that replicas wait for, and what they have acknowledged (DESIGN §12).
//
//   PSYNC -> continues: the feed sends the backlog from there
//         -> full: SnapshotSchedule -> child -> file or pipe -> feed, then the backlog from the cut on
//
// Feeds belong to the cores of their sessions. The list of them, the history and the schedule change with the
// world stopped, so that any core may look at them inside a batch.
//
// Size: everything that PSYNC, INFO and the roles need of a server that is followed stands in this one place.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "dispatch/services.h"
#include "replication/ack_quorum.h"
#include "replication/backlog.h"
#include "replication/backlog_sink.h"
#include "replication/history.h"
#include "replication/snapshot_schedule.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/payload_pipe.h"
#include "server/release_gate.h"
#include "server/replica_feed.h"

namespace cinnabar::server {

class Replicas {
 public:
  using Upstream = replication::PrimarySide::Upstream;

  struct Figures {
    uint64_t full = 0;
    uint64_t partial = 0;
    uint64_t partial_refused = 0;
  };

  // All must outlive this. `seed`: see ReplicationId::New.
  Replicas(dispatch::Services& services, const Cores& cores, ServerDataFiles& files, ReleaseGate& gate,
           uint64_t seed);
  ~Replicas();

  // ---- the history; with the world stopped
  const replication::History& history() const { return history_; }
  replication::Position position() const { return {history_.id(), services_.journal.offset()}; }
  // Whether every change since the position has a place in the stream.
  bool keeps_stream() const { return backlog_.active(); }
  replication::ReplicationId NewId() { return replication::ReplicationId::New(random_); }
  // The data set is another one: of this history, at this offset. Replicas have to come again.
  void BeginAt(const replication::History& history, replication::StreamOffset offset);
  // Our primary goes on under this id, from where the data set is.
  void ContinueUnder(const replication::ReplicationId& id);
  // From here on this server writes its own continuation.
  void BecomePrimary();
  // Nobody may go on from the old id.
  void ChangeId();
  void DisconnectAll(std::string_view reason);

  // ---- connections
  // REPLCONF; the session's core.
  void Configure(dispatch::Session& session, std::span<const std::string_view> argv);
  // PSYNC and SYNC, with the world stopped. False: this server is to become a primary first (FAILOVER), and
  // to be asked again.
  bool Synchronise(dispatch::Session& session, std::span<const std::string_view> argv, Upstream upstream);
  // The session goes away, and its feed with it. Its core, no shard held.
  void OnGone(dispatch::Session& session);

  // ---- acknowledgements; any core
  dispatch::AcknowledgedCopies CopiesOf(replication::StreamOffset offset) const {
    return {static_cast<int64_t>(applied_.CountAt(offset)), static_cast<int64_t>(on_disk_.CountAt(offset))};
  }
  void AskForAcknowledgements() { ask_.store(true, std::memory_order_release); }
  bool EnoughReplicas() const;
  // Of those that are online; 0 for n = none.
  const replication::AckQuorum& applied() const { return applied_; }

  // ---- the server's own work
  // At the end of a turn: the stream leaves. The core's thread, inside the gate.
  void TurnEnded(int core) {
    if (registered_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      SendStream(core);
  }
  // About ten times a second, on core 0, inside the gate. `follows`: somebody else makes the stream.
  void Cron(bool follows);
  // The child that made a snapshot for replicas has ended. With the world stopped.
  void OnSnapshotEnded(bool written);
  // It is about to be ended by us.
  void OnSnapshotAbandoned() { pipe_.Close(); }
  void SettingsChanged();

  // ---- figures; with the world stopped
  std::vector<dispatch::ReplicaFacts> Facts() const;
  const replication::Backlog& backlog() const { return backlog_; }
  dispatch::Replication::StreamMemory KeptMemory() const {
    const uint64_t beyond = backlog_.memory_beyond_limit();
    return {backlog_.memory() - std::min(beyond, backlog_.memory()), beyond};
  }
  const Figures& figures() const { return figures_; }
  void ResetFigures() { figures_ = {}; }
  size_t count() const { return registered_.load(std::memory_order_relaxed); }
  // A replica that is online and has acknowledged everything; `address` empty: any.
  bool HasEverything(const std::string& address, int64_t port, dispatch::ReplicaFacts* found) const;
  // Replicas that have not acknowledged everything, and could.
  std::vector<dispatch::ReplicaFacts> Behind() const;

 private:
  struct OfCore {
    std::vector<uint64_t> sessions;
    std::atomic<size_t> count{0};
    std::atomic<uint64_t> told{0};  // the end of the stream when the core was told last
    std::atomic<bool> asked{false};
  };

  ReplicaFeed& FeedOf(dispatch::Session& session);
  void Register(ReplicaFeed& feed);
  void Forget(ReplicaFeed& feed);
  void Drop(ReplicaFeed& feed, dispatch::Closing how);
  ReplicaFeed& FeedOfLink(replication::PrimaryLink& link) const;
  void Wake(ReplicaFeed& feed);
  void StartStream();
  void StopStream();
  void SetOffset(replication::StreamOffset offset);
  void LogAnswer(dispatch::Session& session, std::span<const std::string_view> argv,
                 replication::PrimaryLink::Answer answer);
  void BeginIfDue();
  Status BeginSnapshot(const replication::SnapshotSchedule::Order& order);
  Status BeginDiskless(const replication::SnapshotSchedule::Order& order);
  void DeliverPayload(const SharedBytes& bytes);
  bool PayloadRoom() const;
  replication::SnapshotSchedule::Settings ScheduleSettings() const;
  void SendStream(int core);
  void FlushFeeds(int core);
  static Millis Now() { return SystemMonotonicNanos() / kNanosPerMilli; }

  dispatch::Services& services_;
  const Cores& cores_;
  ServerDataFiles& files_;
  ReleaseGate& gate_;
  Random random_;
  replication::History history_;
  replication::Backlog backlog_{0};
  replication::BacklogSink sink_{backlog_};
  replication::AckQuorum applied_, on_disk_;
  replication::SnapshotSchedule schedule_;
  replication::StreamPings pings_;
  PayloadPipe pipe_;
  std::vector<ReplicaFeed*> feeds_;  // those that are replicas, oldest first
  std::unique_ptr<OfCore[]> of_core_;
  std::atomic<size_t> registered_{0};
  std::atomic<bool> ask_{false};
  // Of min-replicas-to-acknowledge: replies wait for so many.
  std::atomic<size_t> wanted_{0};
  std::atomic<uint64_t> asked_for_{0};  // the end of the stream when they were asked last for that
  Millis alone_since_ = 0;              // no replica since then; 0: there are some, or no stream
  Figures figures_;
};

}  // namespace cinnabar::server
