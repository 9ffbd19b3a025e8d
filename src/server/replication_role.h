// ReplicationRole: whether this server is a primary or a replica, and how that changes: REPLICAOF, a replica
// that takes over (PSYNC with FAILOVER), and FAILOVER itself. The one owner of the role: gates read what it
// sets (the alarms kFollows and kStale), and commands ask it through their port.
//
//   primary --REPLICAOF host port--> replica of it --REPLICAOF NO ONE, a demand to take over--> primary
//   primary --FAILOVER--> writes wait --a replica has everything--> replica of that one, if it accepts
//
// Core 0's thread, or with the world stopped; what any core may ask is said in the port.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dispatch/services.h"
#include "server/following.h"
#include "server/replicas.h"

namespace cinnabar::server {

class ReplicationRole final : public dispatch::Replication {
 public:
  // All must outlive this.
  ReplicationRole(dispatch::Services& services, config::Config& config, ServerDataFiles& files,
                  Replicas& replicas, Following& following);

  // The server starts with a primary in its configuration: it is a replica before it loads its files.
  void StartAsConfigured();
  // A replica that does not have it from the configuration; no host: of a primary that is not known yet.
  // Before the data set is loaded.
  void FollowAfterLoading(const std::string& host, int64_t port);
  // The data set of the start is complete: it goes on in the history that its file names, and with its
  // primary. Core 0, in a turn, or before the cores run.
  void OnLoaded();
  // About ten times a second, on core 0, inside the gate.
  void Cron();
  // replica-serve-stale-data and its relatives have changed. With the world stopped.
  void SettingsChanged();
  // What CONFIG REWRITE and INFO show.
  std::string_view failover_state() const;

  // dispatch::Replication:
  void Configure(dispatch::Session& session, std::span<const std::string_view> argv) override {
    replicas_.Configure(session, argv);
  }
  void Synchronise(dispatch::Session& session, std::span<const std::string_view> argv) override;
  dispatch::AcknowledgedCopies CopiesOf(uint64_t offset) const override { return replicas_.CopiesOf(offset); }
  void AskForAcknowledgements() override { replicas_.AskForAcknowledgements(); }
  bool EnoughReplicas() const override { return replicas_.EnoughReplicas(); }
  bool keeps_stream() const override { return replicas_.keeps_stream(); }
  bool follows() const override { return follows_; }
  bool link_is_up() const override { return following_.link_is_up(); }
  dispatch::StreamPlace Place() const override;
  StreamMemory KeptMemory() const override { return replicas_.KeptMemory(); }
  dispatch::PrimaryFacts Primary() const override { return following_.Facts(); }
  std::vector<dispatch::ReplicaFacts> ReplicaList() const override { return replicas_.Facts(); }
  bool Follow(const std::string& host, int64_t port) override;
  bool FollowNobody() override;
  void ChangeId() override { replicas_.ChangeId(); }
  bool failing_over() const override { return failover_.step != FailoverStep::kNone; }
  Status BeginFailover(const FailoverRequest& request) override;
  Status AbortFailover() override;

 private:
  enum class FailoverStep : uint8_t { kNone, kWaitForSync, kInProgress };
  struct Failover {
    FailoverStep step = FailoverStep::kNone;
    FailoverRequest request;
    Millis deadline = 0;         // monotonic; 0: none
    dispatch::PauseState pause;  // that was there before
  };

  void SetFollows(bool follows);
  void UpdateStale();
  void UnblockAll();
  void PropagateExpired();
  void BecomeReplicaOf(const std::string& host, int64_t port, replication::ReplicaLink::TakeOver take_over);
  void StepFailover();
  void EndFailover();
  void HandOver(const std::string& host, int64_t port);
  void OnTakeOverAnswered(bool accepted);

  dispatch::Services& services_;
  config::Config& config_;
  ServerDataFiles& files_;
  Replicas& replicas_;
  Following& following_;
  bool follows_ = false;
  Failover failover_;
};

}  // namespace cinnabar::server
