// What answers and messages mean.
#include <fmt/format.h>

#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

using protocol::Reply;

constexpr Millis kSanePeriods = 4;  // of hello messages, before somebody else's configuration is corrected
constexpr Millis kTellAgain = 1000;

}  // namespace

void Sentinel::Received(ConnectionId id, const Reply& reply) {
  const auto found = connections_.find(id);
  const auto link = found == connections_.end() ? nullptr : found->second.lock();
  if (link == nullptr) return;
  if (link->messages.id == id) {
    link->messages.activity = now();
    // Whether we are let in shows in the answer to SUBSCRIBE: a password that nobody asks for is an error,
    // too.
    if (link->messages.introductions > 0 && !reply.IsArray()) {
      --link->messages.introductions;
      return;
    }
    if (reply.IsArray(3) && reply.elements[0].text == "message" && reply.elements[1].text == kHelloChannel)
      TakeHello(reply.elements[2].text);
    if (reply.is_error()) Close(link->messages);
    return;
  }
  if (link->expected.empty()) return;
  const Link::Expected expected = link->expected.front();
  link->expected.pop_front();
  Instance* instance = FindInstance(expected.instance);
  if (expected.what == Awaited::kPing) {
    if (instance == nullptr) instance = UserOf(*link);
    if (instance != nullptr) TakePong(*instance, reply);
  }
  if (instance == nullptr) return;
  Primary& primary = *instance->primary;
  if (expected.what == Awaited::kInfo && reply.IsText()) TakeInfo(*instance, reply.text);
  if (expected.what == Awaited::kVote && instance->kind == Kind::kPeer)
    TakeVote(static_cast<Peer&>(*instance), reply);
  if (expected.what == Awaited::kReconfigure) SendInfo(*instance);
  Decide(primary);
}

void Sentinel::TakePong(Instance& instance, const Reply& reply) {
  Link& link = *instance.link;
  link.last_pong = now();
  const std::string_view text = reply.text;
  const bool pong = text.starts_with("PONG");
  if (pong || text.starts_with("LOADING") || text.starts_with("MASTERDOWN")) {
    link.last_available = now();
    link.unanswered_since = 0;
    if (instance.kind == Kind::kPrimary && instance.role == Role::kPrimary)
      instance.primary->last_good = now();
    if (pong) instance.rebooted = false;
    return;
  }
  // A script that holds it up: it is ended, once.
  if (text.starts_with("BUSY") && instance.down && !instance.script_kill_sent && instance.kind != Kind::kPeer)
    instance.script_kill_sent = Send(instance, Awaited::kNothing, {Renamed(instance, "script"), "KILL"});
}

// ---- INFO ----

void Sentinel::TakeInfo(Instance& instance, std::string_view text) {
  instance.info = text;
  instance.info_at = now();
  const InfoReport report = ParseInfo(text);
  NoteRunId(instance, report);
  if (instance.kind == Kind::kPrimary) NoteReplicas(static_cast<Primary&>(instance), report);
  if (instance.kind == Kind::kReplica) NoteReplicaFields(static_cast<Replica&>(instance), report);
  if (!report.is_primary) return;
  NoteRole(instance, *report.is_primary ? Role::kPrimary : Role::kReplica);
  if (tilt_ || instance.kind != Kind::kReplica) return;
  auto& replica = static_cast<Replica&>(instance);
  if (replica.role == Role::kPrimary) {
    ReplicaClaimsToBePrimary(replica);
  } else {
    ReplicaFollowsSomebody(replica);
  }
}

void Sentinel::NoteRunId(Instance& instance, const InfoReport& report) {
  if (report.run_id.empty() || report.run_id == instance.run_id) return;
  const bool known = !instance.run_id.empty();
  instance.run_id = report.run_id;
  if (!known) return;
  if (instance.kind == Kind::kPrimary && instance.primary->reboot_down_after != 0) {
    instance.rebooted = true;
    instance.rebooted_since = now();
  }
  Event(LogLevel::kNotice, "+reboot", instance);
}

void Sentinel::NoteReplicas(Primary& primary, const InfoReport& report) {
  if (report.primary_offset) primary.known_offset = *report.primary_offset;
  bool added = false;
  for (const InfoReport::ReplicaLine& line : report.replicas) {
    if (FindReplica(primary, line.host, line.port) != nullptr) continue;
    const auto address = MakeAddress(line.host, line.port);
    Replica* replica = address ? AddReplica(primary, *address) : nullptr;
    if (replica == nullptr) continue;
    Event(LogLevel::kNotice, "+slave", *replica);
    OpenLink(*replica);
    added = true;
  }
  if (added) (void)Save();
}

void Sentinel::NoteReplicaFields(Replica& replica, const InfoReport& report) {
  // -1: it never had a link since it was started.
  replica.link_down = report.link_down_seconds.value_or(0) * kMillisPerSecond;
  if (report.priority) replica.priority = *report.priority;
  if (report.replication_offset) replica.replication_offset = *report.replication_offset;
  replica.announced = report.announced.value_or(true);
  if (report.link_is_up) replica.link_to_primary_is_up = *report.link_is_up;
  if (!report.followed_host.empty() && report.followed_host != replica.followed_host) {
    replica.followed_host = report.followed_host;
    replica.followed_since = now();
  }
  if (report.followed_port && *report.followed_port != replica.followed_port) {
    replica.followed_port = *report.followed_port;
    replica.followed_since = now();
  }
}

void Sentinel::NoteRole(Instance& instance, Role role) {
  if (role == instance.role) return;
  instance.role = role;
  instance.role_since = now();
  // It has been no primary for nobody knows how long.
  if (instance.kind == Kind::kPrimary && role == Role::kReplica) instance.primary->last_good = 0;
  if (role == Role::kReplica && instance.kind == Kind::kReplica)
    static_cast<Replica&>(instance).followed_since = now();
  const bool expected = (instance.kind == Kind::kPrimary) == (role == Role::kPrimary);
  Event(LogLevel::kVerbose, expected ? "+role-change" : "-role-change", instance,
        fmt::format("new reported role is {}", role == Role::kPrimary ? "master" : "slave"));
}

void Sentinel::ReplicaClaimsToBePrimary(Replica& replica) {
  Primary& primary = *replica.primary;
  if (replica.promoted) {
    if (primary.failing_over && primary.failover_state == FailoverState::kWaitPromotion)
      Promoted(primary, replica);
    return;
  }
  // A primary of old that has come back. Whoever knows better has the time to say so.
  const Millis patience = timing_.publish_period * kSanePeriods;
  if (LooksSane(primary) && WasUpFor(replica, patience) && now() - replica.role_since > patience &&
      now() - replica.told > kTellAgain && SendReplicaOf(replica, &primary.address)) {
    Event(LogLevel::kNotice, "+convert-to-slave", replica);
  }
}

void Sentinel::ReplicaFollowsSomebody(Replica& replica) {
  Primary& primary = *replica.primary;
  if (!Names(primary.address, replica.followed_host, replica.followed_port)) {
    const Millis patience = primary.failover_timeout;
    if (LooksSane(primary) && WasUpFor(replica, patience) && now() - replica.followed_since > patience &&
        now() - replica.told > kTellAgain && SendReplicaOf(replica, &primary.address)) {
      Event(LogLevel::kNotice, "+fix-slave-config", replica);
    }
  }
  const Replica* promoted = primary.FindReplica(primary.promoted);
  if (promoted == nullptr || promoted == &replica) return;
  if (replica.reconfiguration == Reconfiguration::kSent &&
      Names(promoted->address, replica.followed_host, replica.followed_port)) {
    replica.reconfiguration = Reconfiguration::kInProgress;
    Event(LogLevel::kNotice, "+slave-reconf-inprog", replica);
  }
  if (replica.reconfiguration == Reconfiguration::kInProgress && replica.link_to_primary_is_up) {
    replica.reconfiguration = Reconfiguration::kDone;
    Event(LogLevel::kNotice, "+slave-reconf-done", replica);
  }
}

// ---- votes ----

void Sentinel::TakeVote(Peer& peer, const Reply& reply) {
  if (!reply.IsArray(3) || reply.elements[0].kind != Reply::Kind::kInteger || !reply.elements[1].IsText() ||
      reply.elements[2].kind != Reply::Kind::kInteger || reply.elements[2].integer < 0)
    return;
  peer.last_vote_answer = now();
  peer.says_down = reply.elements[0].integer != 0;
  const std::string& leader = reply.elements[1].text;
  if (leader == "*") return;
  const auto epoch = static_cast<Epoch>(reply.elements[2].integer);
  if (peer.leader_epoch != epoch) {
    port_.Log(LogLevel::kNotice, fmt::format("{} voted for {} {}", peer.name, leader, epoch));
    Record(*peer.primary, fmt::format("{} voted for {} in epoch {}", peer.name, leader, epoch));
  }
  peer.leader = leader;
  peer.leader_epoch = epoch;
}

// ---- hello ----

void Sentinel::TakeHello(std::string_view text) {
  const auto hello = ParseHello(text);
  if (!hello || hello->run_id == options_.id) return;
  Primary* primary = Find(hello->primary_name);
  if (primary == nullptr) return;
  NotePeer(*primary, *hello);
  if (hello->current_epoch > current_epoch_) RaiseEpoch(hello->current_epoch);
  const auto peer = primary->peers.find(hello->run_id);
  if (primary->config_epoch < hello->config_epoch) {
    NoteConfiguration(*primary, *hello);
  } else if (primary->config_epoch == hello->config_epoch && primary->config_epoch != 0) {
    ResolveCollision(*primary, *hello);
  }
  if (peer != primary->peers.end()) peer->second->last_hello = now();
}

void Sentinel::NotePeer(Primary& primary, const Hello& hello) {
  const auto known = primary.peers.find(hello.run_id);
  if (known != primary.peers.end() && Names(known->second->address, hello.host, hello.port)) return;
  const auto address = MakeAddress(hello.host, hello.port);
  if (!address) return;
  const bool moved = known != primary.peers.end();
  if (moved) {
    MovePeer(hello.run_id, *address);
    Event(LogLevel::kNotice, "+sentinel-address-switch", primary,
          fmt::format("ip {} port {} for {}", hello.host, hello.port, hello.run_id));
  } else {
    for (const auto& [id, other] : primary.peers) {
      if (!Names(other->address, hello.host, hello.port)) continue;
      // Another one answers at its address now. If it is somewhere else it will say so.
      Event(LogLevel::kNotice, "+sentinel-invalid-addr", *other);
      ForgetPeer(std::string(id));
      break;
    }
    if (const Peer* peer = AddPeer(primary, hello.run_id, *address))
      Event(LogLevel::kNotice, "+sentinel", *peer);
  }
  (void)Save();
}

// A sentinel is one process, whichever primaries it watches.
void Sentinel::MovePeer(const std::string& id, const Address& address) {
  const std::string wanted = id;
  for (const auto& [name, primary] : primaries_) {
    const auto found = primary->peers.find(wanted);
    if (found == primary->peers.end()) continue;
    Peer& peer = *found->second;
    LeaveLink(peer);
    peer.address = address;
    peer.link = NewLink();
    ShareLink(peer);
  }
}

void Sentinel::ForgetPeer(const std::string& id) {
  for (const auto& [name, primary] : primaries_) {
    const auto found = primary->peers.find(id);
    if (found == primary->peers.end()) continue;
    LeaveLink(*found->second);
    primary->peers.erase(found);
  }
}

// Somebody knows of a later failover. One of ours is overtaken, whatever the address.
void Sentinel::NoteConfiguration(Primary& primary, const Hello& hello) {
  const auto address = MakeAddress(hello.primary_host, hello.primary_port);
  if (!address) return;
  const Address old = CurrentAddress(primary);
  primary.config_epoch = hello.config_epoch;
  const bool same = Names(old, hello.primary_host, hello.primary_port);
  if (primary.failing_over) {
    Record(primary, fmt::format("{} told of {}:{} in epoch {}", hello.run_id, Shown(*address), address->port,
                                hello.config_epoch));
    primary.history.back().outcome = "overtaken";
  } else if (same) {
    (void)Save();
    return;
  }
  if (!same) {
    const auto peer = primary.peers.find(hello.run_id);
    if (peer != primary.peers.end()) Event(LogLevel::kWarning, "+config-update-from", *peer->second);
    EventText(
        LogLevel::kWarning, "+switch-master", primary,
        fmt::format("{} {} {} {} {}", primary.name, Shown(old), old.port, Shown(*address), address->port));
  }
  ChangeAddress(primary, *address);
  if (!same) CallReconfigurationScript(primary, "observer", old, primary.address);
}

// Two primaries in one epoch: a forced failover takes an epoch without an election, and files may have been
// put back. All who name the lower address take another epoch, and the others follow.
void Sentinel::ResolveCollision(Primary& primary, const Hello& hello) {
  if (Names(CurrentAddress(primary), hello.primary_host, hello.primary_port) || save_problem_) return;
  const auto theirs = MakeAddress(hello.primary_host, hello.primary_port);
  if (!theirs || ReplicaName(*theirs) < ReplicaName(CurrentAddress(primary))) return;
  port_.Log(LogLevel::kWarning, fmt::format("{} names another primary of {} in epoch {}: a new epoch decides",
                                            hello.run_id, primary.name, primary.config_epoch));
  RaiseEpoch(current_epoch_ + 1);
  primary.config_epoch = current_epoch_;
  if (Save()) SendHellos(primary);
}

}  // namespace cinnabar::sentinel
