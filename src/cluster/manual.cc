// Failovers that somebody asked for, and replicas that move to primaries without any.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

constexpr Millis kMoveDelay = 5000;  // a primary may be about to get a replica by itself
constexpr Millis kPauseFactor = 2;   // the pause outlives the attempt, unless that ends it

}  // namespace

Status Cluster::Failover(FailoverKind kind) {
  if (myself_->is_primary()) return Fail("ERR You should send CLUSTER FAILOVER to a replica");
  Node* primary = myself_->primary;
  if (primary == nullptr) return Fail("ERR I'm a replica but my master is unknown to me");
  if (kind == FailoverKind::kOrderly && (primary->failed() || !primary->out.connected))
    return Fail("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE");
  ResetManualFailover();
  if (kind == FailoverKind::kTakeover) {
    port_.Log(LogLevel::kWarning, "Taking over the master (user request).");
    (void)BumpEpochAlone();
    ReplacePrimary();
    return Done();
  }
  manual_.end = now() + kManualFailoverTimeout;
  // An election of before must not hold this one up.
  election_ = {};
  if (kind == FailoverKind::kForced) {
    port_.Log(LogLevel::kWarning, "Forced failover user request accepted.");
    manual_.can_start = true;
    StepElection();
  } else {
    port_.Log(LogLevel::kWarning, "Manual failover user request accepted.");
    SendPacket(primary->out.id, Header(PacketType::kManualFailover));
  }
  return Done();
}

// One of our replicas asks us to stop taking writes, and to say where the stream ends then.
void Cluster::TakeManualFailover(const Incoming& in) {
  if (!myself_->is_primary() || in.sender->primary != myself_) return;
  ResetManualFailover();
  manual_.end = now() + kManualFailoverTimeout;
  manual_.replica = in.sender;
  port_.PauseWrites(kManualFailoverTimeout * kPauseFactor);
  port_.Log(LogLevel::kWarning,
            fmt::format("Manual failover requested by replica {}.", in.sender->id.text()));
  Ping(*in.sender);
}

void Cluster::StepManualFailover() {
  if (manual_.end == 0 || manual_.can_start || !manual_.offset) return;
  if (*manual_.offset != port_.Replication().offset) return;
  manual_.can_start = true;
  port_.Log(LogLevel::kWarning, "All master replication stream processed, manual failover can start.");
}

void Cluster::ResetManualFailover() {
  if (manual_.replica != nullptr) port_.ResumeWrites();
  manual_ = {};
}

int Cluster::WorkingReplicas(const Node& node) {
  return static_cast<int>(
      std::ranges::count_if(node.replicas, [](const Node* replica) { return !replica->failed(); }));
}

// A primary that had replicas has none that works, and ours has more than it needs: the replica with the
// lowest name among those of the best-served primaries moves there.
void Cluster::MoveToOrphan() {
  Node* mine = myself_->primary;
  if (mine == nullptr || !healthy_ || !options_.allow_replica_migration) return;
  const int ours = WorkingReplicas(*mine);
  int most = 0;
  Node* orphan = nullptr;
  for (const auto& [id, node] : nodes_) {
    if (!node->is_primary() || node->failed()) continue;
    const int working = WorkingReplicas(*node);
    most = std::max(most, working);
    if (working != 0 || node->slot_count == 0 || !node->Is(kMigrateToFlag)) {
      node->orphaned_at = 0;
      continue;
    }
    if (node->orphaned_at == 0) node->orphaned_at = now();
    if (orphan == nullptr) orphan = node.get();
  }
  if (orphan == nullptr || most < 2 || ours != most || ours <= options_.migration_barrier) return;
  for (const auto& [id, node] : nodes_) {
    if (!node->is_primary() || WorkingReplicas(*node) != most) continue;
    for (const Node* replica : node->replicas) {
      if (!replica->failed() && replica->id < myself_->id) return;
    }
  }
  if (now() - orphan->orphaned_at <= kMoveDelay || manual_.end != 0) return;
  port_.Log(LogLevel::kNotice, fmt::format("Migrating to orphaned master {}", orphan->id.text()));
  FollowNode(*orphan);
}

}  // namespace cinnabar::cluster
