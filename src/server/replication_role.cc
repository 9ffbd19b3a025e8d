#include "server/replication_role.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "config/settings.h"

namespace cinnabar::server {

using replication::ReplicaLink;

namespace {

Millis Now() {
  return SystemMonotonicNanos() / kNanosPerMilli;
}

}  // namespace

ReplicationRole::ReplicationRole(dispatch::Services& services, config::Config& config, ServerDataFiles& files,
                                 Replicas& replicas, Following& following)
    : services_(services), config_(config), files_(files), replicas_(replicas), following_(following) {
  files_.snapshots().OnEndedForReplicas([this](bool written) { replicas_.OnSnapshotEnded(written); });
  files_.snapshots().BeforeAbandoning([this] { replicas_.OnSnapshotAbandoned(); });
  following_.OnTakeOverAnswered([this](bool accepted) { OnTakeOverAnswered(accepted); });
  following_.OnLinkChanged([this] { UpdateStale(); });
}

// ---- the role ----

void ReplicationRole::SetFollows(bool follows) {
  follows_ = follows;
  for (dispatch::Dispatcher* dispatcher : services_.dispatchers) dispatcher->SetFollows(follows);
  services_.log.SetRole(follows ? 'S' : 'M');
  if (follows) {
    services_.alarms.fetch_or(dispatch::Alarm::kFollows);
  } else {
    services_.alarms.fetch_and(~uint32_t{dispatch::Alarm::kFollows});
  }
  UpdateStale();
  files_.RoleChanged();
}

void ReplicationRole::UpdateStale() {
  const bool stale =
      follows_ && !following_.link_is_up() && !services_.settings.replication.replica_serve_stale_data;
  if (stale) {
    services_.alarms.fetch_or(dispatch::Alarm::kStale);
  } else {
    services_.alarms.fetch_and(~uint32_t{dispatch::Alarm::kStale});
  }
}

void ReplicationRole::SettingsChanged() {
  replicas_.SettingsChanged();
  UpdateStale();
  files_.RoleChanged();
}

// What they wait for is not this server's to change any more.
void ReplicationRole::UnblockAll() {
  services_.clients.ForEach([this](dispatch::Session& session) {
    if (session.blocked == nullptr) return;
    services_.dispatchers[static_cast<size_t>(session.facts.core)]->blocked().Unblock(
        session, dispatch::UnblockWith::kRoleChange);
  });
}

void ReplicationRole::StartAsConfigured() {
  files_.RoleChanged();
  if (!services_.settings.replication.replicaof.host.empty()) SetFollows(true);
}

void ReplicationRole::FollowAfterLoading(const std::string& host, int64_t port) {
  config_.Mutable().replication.replicaof = {host, port};
  SetFollows(true);
}

void ReplicationRole::OnLoaded() {
  const DataLoader::Figures& loaded = files_.last_load();
  const auto id = replication::ReplicationId::Parse(loaded.replication_id);
  std::optional<replication::Position> position;
  if (id && loaded.replication_offset >= 0 && files_.loaded_snapshot()) {
    position = {*id, static_cast<replication::StreamOffset>(loaded.replication_offset)};
    replication::History history(*id);
    // Its old run may have gone on after the file was written.
    if (!follows_) history.Shift(replicas_.NewId(), position->offset);
    services_.dispatchers[0]->WithWorldStopped([&] {
      replicas_.BeginAt(history, position->offset);
      if (!follows_) PropagateExpired();
    });
  }
  if (!follows_) return;
  const config::MasterAddress& primary = services_.settings.replication.replicaof;
  following_.SetStreamDatabase(loaded.stream_database);
  if (primary.host.empty()) return;
  following_.Follow(primary.host, primary.port, position);
}

// The file's keys whose time was over were not loaded. Others of the history have them.
void ReplicationRole::PropagateExpired() {
  const std::string_view command = services_.settings.memory.lazyfree_lazy_expire ? "UNLINK" : "DEL";
  for (const DataLoader::ExpiredKey& key : files_.TakeExpired()) {
    journal::Effects effects;
    effects.Add(key.database, {command, key.name});
    services_.journal.Append(effects);
  }
}

void ReplicationRole::BecomeReplicaOf(const std::string& host, int64_t port,
                                      ReplicaLink::TakeOver take_over) {
  std::optional<replication::Position> position;
  if (follows_) {
    following_.Stop();
    position = following_.position();
  } else {
    if (replicas_.keeps_stream()) position = replicas_.position();
    following_.SetStreamDatabase(0);  // another primary's stream begins with a SELECT
    UnblockAll();
  }
  config_.Mutable().replication.replicaof = {host, port};
  SetFollows(true);
  following_.Follow(host, port, position, take_over);
}

bool ReplicationRole::Follow(const std::string& host, int64_t port) {
  const config::MasterAddress& now = services_.settings.replication.replicaof;
  if (follows_ && now.host == host && now.port == port) return false;
  BecomeReplicaOf(host, port, ReplicaLink::TakeOver::kNo);
  return true;
}

bool ReplicationRole::FollowNobody() {
  if (!follows_) return false;
  following_.Stop();
  config_.Mutable().replication.replicaof = {};
  SetFollows(false);
  replicas_.BecomePrimary();
  files_.ResumeAppendOnly();
  return true;
}

dispatch::StreamPlace ReplicationRole::Place() const {
  if (!replicas_.keeps_stream()) return {};
  const replication::Position position = replicas_.position();
  return {std::string(position.id.text()), position.offset, follows_ ? following_.stream_database() : 0};
}

void ReplicationRole::Synchronise(dispatch::Session& session, std::span<const std::string_view> argv) {
  using Upstream = Replicas::Upstream;
  const Upstream upstream = !follows_                 ? Upstream::kNone
                            : following_.link_is_up() ? Upstream::kUp
                                                      : Upstream::kDown;
  if (failing_over()) return session.reply.Error("NOMASTERLINK Can't SYNC while failing over");
  if (replicas_.Synchronise(session, argv, upstream)) return;
  services_.log.Warning("Failover request received for replid {}.", argv[1]);
  FollowNobody();
  replicas_.Synchronise(session, argv.first(argv.size() - 1), Upstream::kNone);
}

void ReplicationRole::Cron() {
  following_.Cron();
  replicas_.Cron(follows_);
  if (failover_.step == FailoverStep::kWaitForSync && services_.dispatchers[0]->long_commands().WorldIsFree())
    services_.dispatchers[0]->WithWorldStopped([this] { StepFailover(); });
}

// ---- FAILOVER ----

std::string_view ReplicationRole::failover_state() const {
  switch (failover_.step) {
    case FailoverStep::kNone:
      return "no-failover";
    case FailoverStep::kWaitForSync:
      return "waiting-for-sync";
    case FailoverStep::kInProgress:
      return "failover-in-progress";
  }
  return "";
}

Status ReplicationRole::BeginFailover(const FailoverRequest& request) {
  if (failing_over()) return Fail("ERR FAILOVER already in progress.");
  if (follows_) return Fail("ERR FAILOVER is not valid when server is a replica.");
  const std::vector<dispatch::ReplicaFacts> replicas = replicas_.Facts();
  if (replicas.empty()) return Fail("ERR FAILOVER requires connected replicas.");
  if (request.force && (request.timeout == 0 || request.host.empty()))
    return Fail("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
  if (!request.host.empty()) {
    const auto target = std::ranges::find_if(replicas, [&](const dispatch::ReplicaFacts& facts) {
      return facts.address == request.host && facts.port == request.port;
    });
    if (target == replicas.end()) return Fail("ERR FAILOVER target HOST and PORT is not a replica.");
    if (!target->online) return Fail("ERR FAILOVER target replica is not online.");
  }
  services_.log.Notice("FAILOVER requested to {}.", request.host.empty()
                                                        ? "any replica"
                                                        : request.host + ":" + std::to_string(request.port));
  failover_ = {.step = FailoverStep::kWaitForSync,
               .request = request,
               .deadline = request.timeout == 0 ? 0 : Now() + request.timeout,
               .pause = services_.pause};
  services_.stream_rests = true;
  services_.pause = {std::max(services_.pause.mode, dispatch::PauseMode::kWrites),
                     std::numeric_limits<Millis>::max()};
  services_.control.PauseChanged();
  return {};
}

Status ReplicationRole::AbortFailover() {
  if (!failing_over()) return Fail("ERR No failover in progress.");
  services_.log.Notice("Failover manually aborted.");
  if (failover_.step == FailoverStep::kInProgress) FollowNobody();
  EndFailover();
  return {};
}

void ReplicationRole::EndFailover() {
  services_.pause = failover_.pause;
  failover_ = {};
  services_.stream_rests = false;
  services_.control.PauseChanged();
}

void ReplicationRole::StepFailover() {
  const FailoverRequest request = failover_.request;
  dispatch::ReplicaFacts ready;
  if (replicas_.HasEverything(request.host, request.port, &ready)) {
    services_.log.Notice("Failover target {}:{} is synced, failing over.", ready.address, ready.port);
    return HandOver(ready.address, ready.port);
  }
  if (failover_.deadline == 0 || Now() < failover_.deadline) return;
  if (request.force) {
    services_.log.Notice("Failover target {}:{} time out exceeded, failing over.", request.host,
                         request.port);
    return HandOver(request.host, request.port);
  }
  services_.log.Notice("Replica never caught up before timeout. Failover aborted.");
  EndFailover();
}

void ReplicationRole::HandOver(const std::string& host, int64_t port) {
  failover_.step = FailoverStep::kInProgress;
  BecomeReplicaOf(host, port, ReplicaLink::TakeOver::kDemand);
}

void ReplicationRole::OnTakeOverAnswered(bool accepted) {
  if (failover_.step != FailoverStep::kInProgress) return;
  services_.dispatchers[0]->WithWorldStopped([&] {
    if (!accepted) {
      services_.log.Warning("Failover target rejected psync request");
      FollowNobody();
    } else {
      services_.log.Notice("Failover complete: the target has become the master.");
    }
    EndFailover();
  });
}

}  // namespace cinnabar::server
