#include "sentinel/sentinel.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <utility>

namespace cinnabar::sentinel {
namespace {

constexpr Millis kSaveRetryPeriod = 1000;

bool IsNumeric(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

Sentinel::Sentinel(const Setup& setup)
    : port_(setup.port),
      clock_(setup.clock),
      random_(setup.seed),
      listening_port_(setup.listening_port),
      scripts_(setup.port) {}

Sentinel::~Sentinel() = default;

Status Sentinel::Start() {
  started_ = true;
  last_tick_ = now();
  if (options_.id.empty()) {
    while (options_.id.size() < 40) options_.id += fmt::format("{:x}", random_.Uniform(16));
  }
  TRY_STATUS(Save());
  port_.Log(LogLevel::kNotice, fmt::format("Sentinel ID is {}", options_.id));
  for (const auto& [name, primary] : primaries_) {
    Event(LogLevel::kWarning, "+monitor", *primary, fmt::format("quorum {}", primary->quorum));
  }
  return {};
}

void Sentinel::OnTick() {
  CheckTilt();
  if (save_problem_ && now() - save_tried_ >= kSaveRetryPeriod) (void)Save();
  for (const auto& [name, primary] : primaries_) {
    Attend(*primary);
    for (const auto& [replica_name, replica] : primary->replicas) Attend(*replica);
    for (const auto& [peer_id, peer] : primary->peers) Attend(*peer);
    Decide(*primary);
  }
  scripts_.OnTick(now(), timing_.script_max_runtime);
}

void Sentinel::Attend(Instance& instance) {
  OpenLink(instance);
  SendPeriodically(instance);
  ReviewLink(instance);
}

void Sentinel::Decide(Primary& primary) {
  if (tilt_) return;
  CheckDown(primary);
  for (const auto& [name, replica] : primary.replicas) CheckDown(*replica);
  for (const auto& [id, peer] : primary.peers) CheckDown(*peer);
  CheckObjectivelyDown(primary);
  StartFailoverIfNeeded(primary);
  StepFailover(primary);
  AskPeers(primary, Ask::kIfDue);
  if (primary.failover_state == FailoverState::kUpdateConfig) SwitchToPromoted(primary);
}

void Sentinel::ScriptEnded(uint64_t number, std::optional<int> exit_code, int signal) {
  scripts_.Ended(number, exit_code, signal, now(), timing_.script_retry_delay);
}

// ---- instances ----

Primary* Sentinel::Find(std::string_view name) {
  const auto found = primaries_.find(std::string(name));
  return found == primaries_.end() ? nullptr : found->second.get();
}

Instance* Sentinel::FindInstance(InstanceId id) {
  for (const auto& [name, primary] : primaries_) {
    if (primary->id == id) return primary.get();
    if (Replica* replica = primary->FindReplica(id)) return replica;
    for (const auto& [peer_id, peer] : primary->peers) {
      if (peer->id == id) return peer.get();
    }
  }
  return nullptr;
}

std::optional<Address> Sentinel::MakeAddress(const std::string& host, int port, Source source) const {
  if (port < 0 || port > 65535) return std::nullopt;
  if (IsNumeric(host)) return Address{host, host, port};
  if (!options_.resolve_hostnames && source != Source::kFile) return std::nullopt;
  if (auto ip = port_.Resolve(host)) return Address{host, std::move(*ip), port};
  // It may be known later.
  if (options_.resolve_hostnames && source == Source::kFile) return Address{host, host, port};
  return std::nullopt;
}

// Whether what a server or another sentinel calls `host` is this address.
bool Sentinel::Names(const Address& address, const std::string& host, int port) const {
  if (address.port != port) return false;
  if (address.ip == host || address.name == host) return true;
  if (!options_.resolve_hostnames || IsNumeric(host)) return false;
  return port_.Resolve(host) == address.ip;
}

std::string Sentinel::Shown(const Address& address) const {
  return options_.announce_hostnames ? address.name : address.ip;
}

std::string Sentinel::ReplicaName(const Address& address) const {
  const std::string host = Shown(address);
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, address.port);
  return fmt::format("{}:{}", host, address.port);
}

const Address& Sentinel::CurrentAddress(const Primary& primary) const {
  if (primary.failing_over && primary.failover_state >= FailoverState::kReconfigureReplicas) {
    if (const Replica* promoted = primary.FindReplica(primary.promoted)) return promoted->address;
  }
  return primary.address;
}

void Sentinel::Begin(Instance& instance, Kind kind, Primary& primary, const Address& address) {
  instance.kind = kind;
  instance.id = ++last_instance_;
  instance.primary = &primary;
  instance.address = address;
  instance.link = NewLink();
  instance.role = kind == Kind::kReplica ? Role::kReplica : Role::kPrimary;
  instance.role_since = now();
}

Primary& Sentinel::AddPrimary(const std::string& name, const Address& address, int64_t quorum) {
  auto made = std::make_unique<Primary>();
  Begin(*made, Kind::kPrimary, *made, address);
  made->name = name;
  made->quorum = quorum;
  made->down_after = timing_.default_down_after;
  made->failover_timeout = timing_.default_failover_timeout;
  return *(primaries_[name] = std::move(made));
}

Replica* Sentinel::AddReplica(Primary& primary, const Address& address) {
  std::string name = ReplicaName(address);
  if (primary.replicas.contains(name)) return nullptr;
  auto made = std::make_unique<Replica>();
  Begin(*made, Kind::kReplica, primary, address);
  made->name = name;
  made->followed_since = now();
  return (primary.replicas[std::move(name)] = std::move(made)).get();
}

Replica* Sentinel::FindReplica(Primary& primary, const std::string& host, int port) {
  for (const auto& [name, replica] : primary.replicas) {
    if (Names(replica->address, host, port)) return replica.get();
  }
  return nullptr;
}

Peer* Sentinel::AddPeer(Primary& primary, const std::string& id, const Address& address) {
  if (primary.peers.contains(id)) return nullptr;
  auto made = std::make_unique<Peer>();
  Begin(*made, Kind::kPeer, primary, address);
  made->name = made->run_id = id;
  made->last_hello = now();
  Peer* peer = (primary.peers[id] = std::move(made)).get();
  ShareLink(*peer);
  return peer;
}

void Sentinel::RemoveReplicas(Primary& primary) {
  for (const auto& [name, replica] : primary.replicas) DropLink(*replica);
  primary.replicas.clear();
}

void Sentinel::RemovePeers(Primary& primary) {
  for (const auto& [id, peer] : primary.peers) LeaveLink(*peer);
  primary.peers.clear();
}

// As if it had just been named: what was known of its replicas, its state and a failover is forgotten. What
// we voted stays.
void Sentinel::ResetPrimary(Primary& primary, Peers peers) {
  // Others may have heard of a promotion in this epoch.
  primary.address = Address(CurrentAddress(primary));
  RemoveReplicas(primary);
  if (peers == Peers::kGo) RemovePeers(primary);
  DropLink(primary);
  primary.link = NewLink();
  primary.run_id.clear();
  primary.info.clear();
  primary.info_at = primary.info_asked = 0;
  primary.role = Role::kPrimary;
  primary.role_since = now();
  primary.down = primary.objectively_down = primary.rebooted = primary.script_kill_sent = false;
  primary.failing_over = primary.forced = false;
  primary.failover_state = FailoverState::kNone;
  primary.failover_state_since = now();
  primary.failover_start = primary.start_at = primary.retry_at = primary.last_good = 0;
  primary.promoted = 0;
}

// It is elsewhere now; its replicas, and the one that was the primary, are replicas of the new one.
void Sentinel::ChangeAddress(Primary& primary, const Address& address) {
  std::vector<Address> replicas;
  for (const auto& [name, replica] : primary.replicas) {
    if (!Names(replica->address, address.ip, address.port)) replicas.push_back(replica->address);
  }
  if (!Names(primary.address, address.ip, address.port)) replicas.push_back(primary.address);
  ResetPrimary(primary, Peers::kStay);
  primary.address = address;
  for (const Address& one : replicas) {
    if (const Replica* replica = AddReplica(primary, one)) Event(LogLevel::kNotice, "+slave", *replica);
  }
  (void)Save();
}

// ---- what is told ----

std::string Sentinel::Described(const Instance& instance) const {
  std::string text = fmt::format("{} {} {} {}", KindName(instance.kind), instance.name,
                                 Shown(instance.address), instance.address.port);
  if (instance.kind == Kind::kPrimary) return text;
  const Primary& primary = *instance.primary;
  return text + fmt::format(" @ {} {} {}", primary.name, Shown(primary.address), primary.address.port);
}

void Sentinel::Event(LogLevel level, std::string_view event, const Instance& instance,
                     std::string_view more) {
  std::string text = Described(instance);
  if (!more.empty()) text.append(" ").append(more);
  EventText(level, event, *instance.primary, text);
}

void Sentinel::EventText(LogLevel level, std::string_view event, const Primary& primary,
                         const std::string& text) {
  port_.Announce(level, event, text);
  if (level == LogLevel::kWarning && !primary.notification_script.empty())
    scripts_.Add(primary.notification_script, {std::string(event), text});
}

void Sentinel::CallReconfigurationScript(const Primary& primary, std::string_view role, const Address& from,
                                         const Address& to) {
  if (primary.reconfiguration_script.empty()) return;
  scripts_.Add(primary.reconfiguration_script,
               {primary.name, std::string(role), "start", Shown(from), std::to_string(from.port), Shown(to),
                std::to_string(to.port)});
}

Status Sentinel::Save() {
  if (!started_) return {};
  save_tried_ = now();
  Status saved = port_.Save();
  if (saved) {
    if (save_problem_) port_.Log(LogLevel::kNotice, "The configuration can be saved again.");
    save_problem_.reset();
    return {};
  }
  if (save_problem_ != saved.error().message) {
    port_.Log(
        LogLevel::kWarning,
        fmt::format("WARNING: Sentinel was not able to save the new configuration on disk!!!: {}. Until "
                    "it is, this Sentinel does not vote and starts no failover.",
                    saved.error().message));
  }
  save_problem_ = saved.error().message;
  return saved;
}

}  // namespace cinnabar::sentinel
