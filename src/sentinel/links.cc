// Connections to the nodes, and what is sent over them periodically.
#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

constexpr size_t kExpectedMax = 100;  // answers of one user of a link, before nothing more is sent
// While a failover depends on what a replica says, it is asked more often.
constexpr Millis kUrgentInfoPeriod = 100;
constexpr Millis kReplicaInfoPeriod = 1000;
constexpr Millis kPingPeriodMin = 100;
constexpr Millis kPingPeriodMax = 500;
constexpr Millis kPingsPerDownAfter = 20;
// An unanswered question is not repeated faster.
constexpr Millis kInfoPatience = 1000;

}  // namespace

std::shared_ptr<Link> Sentinel::NewLink() const {
  auto link = std::make_shared<Link>();
  // A node that never answers is down as well.
  link->unanswered_since = link->last_available = link->last_pong = now();
  return link;
}

Instance* Sentinel::UserOf(const Link& link) {
  for (const auto& [name, primary] : primaries_) {
    if (primary->link.get() == &link) return primary.get();
    for (const auto& [replica_name, replica] : primary->replicas) {
      if (replica->link.get() == &link) return replica.get();
    }
    for (const auto& [id, peer] : primary->peers) {
      if (peer->link.get() == &link) return peer.get();
    }
  }
  return nullptr;
}

void Sentinel::ShareLink(Peer& peer) {
  for (const auto& [name, primary] : primaries_) {
    if (primary.get() == peer.primary) continue;
    const auto same = primary->peers.find(peer.run_id);
    if (same == primary->peers.end() || same->second->address != peer.address) continue;
    LeaveLink(peer);
    peer.link = same->second->link;
    return;
  }
}

void Sentinel::Close(Connection& connection) {
  if (connection.id == 0) return;
  connections_.erase(connection.id);
  port_.Close(connection.id);
  connection = {};
}

void Sentinel::DropLink(Instance& instance) {
  Close(instance.link->commands);
  Close(instance.link->messages);
  instance.link->expected.clear();
}

void Sentinel::LeaveLink(Instance& instance) {
  if (instance.link.use_count() == 1) DropLink(instance);
}

// ---- opening ----

void Sentinel::OpenLink(Instance& instance) {
  Link& link = *instance.link;
  const bool listens = instance.kind != Kind::kPeer;
  if (instance.address.port == 0) return;  // known to be wrong
  if (link.commands.id != 0 && (!listens || link.messages.id != 0)) return;
  if (now() - link.last_try < timing_.ping_period) return;
  link.last_try = now();
  if (link.commands.id == 0) OpenConnection(instance, link.commands);
  if (listens && link.messages.id == 0) OpenConnection(instance, link.messages);
}

void Sentinel::OpenConnection(Instance& instance, Connection& connection) {
  connection = {.id = ++last_connection_, .since = now(), .activity = now()};
  connections_[connection.id] = instance.link;
  port_.Connect(connection.id, instance.address);
}

void Sentinel::Connected(ConnectionId id, std::string_view local_ip) {
  const auto found = connections_.find(id);
  const auto link = found == connections_.end() ? nullptr : found->second.lock();
  Instance* instance = link == nullptr ? nullptr : UserOf(*link);
  if (instance == nullptr) return;
  const bool commands = link->commands.id == id;
  Connection& connection = commands ? link->commands : link->messages;
  connection.open = true;
  connection.since = connection.activity = now();
  if (commands) {
    link->local_ip = local_ip;
    link->expected.clear();
  }
  Event(LogLevel::kDebug, commands ? "+cmd-link" : "+pubsub-link", *instance);
  Introduce(*instance, connection);
}

// Who we are, and on the connection for messages, what we listen to.
void Sentinel::Introduce(Instance& instance, Connection& connection) {
  const bool commands = &connection == &instance.link->commands;
  const bool peer = instance.kind == Kind::kPeer;
  const std::string& user = peer ? options_.sentinel_user : instance.primary->auth_user;
  const std::string& password = peer ? options_.sentinel_password : instance.primary->auth_password;
  const auto say = [&](std::initializer_list<std::string_view> words) {
    if (commands) {
      Send(instance, Awaited::kNothing, words);
    } else {
      ++connection.introductions;
      port_.Send(connection.id, std::span(words.begin(), words.size()));
    }
  };
  const std::string_view auth = Renamed(instance, "auth");
  if (!password.empty() && user.empty()) say({auth, password});
  if (!password.empty() && !user.empty()) say({auth, user, password});
  const std::string name =
      fmt::format("sentinel-{}-{}", std::string_view(options_.id).substr(0, 8), commands ? "cmd" : "pubsub");
  say({Renamed(instance, "client"), "SETNAME", name});
  if (commands) {
    SendPing(instance);
    if (!peer) SendInfo(instance);
  } else {
    say({Renamed(instance, "subscribe"), kHelloChannel});
    --connection.introductions;
  }
}

void Sentinel::Closed(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const auto link = found->second.lock();
  connections_.erase(found);
  if (link == nullptr) return;
  const bool commands = link->commands.id == id;
  const bool was_open = (commands ? link->commands : link->messages).open;
  (commands ? link->commands : link->messages) = {};
  if (commands) link->expected.clear();
  Instance* instance = UserOf(*link);
  if (instance == nullptr) return;
  if (was_open) Event(LogLevel::kDebug, commands ? "-cmd-link" : "-pubsub-link", *instance);
}

// ---- sending ----

// What a command is called there (rename-command); other sentinels rename nothing.
std::string_view Sentinel::Renamed(const Instance& instance, std::string_view command) const {
  if (instance.kind == Kind::kPeer) return command;
  const auto& renamed = instance.primary->renamed_commands;
  const auto found = renamed.find(std::string(command));
  return found == renamed.end() ? command : std::string_view(found->second);
}

size_t Sentinel::Users(const Link& link) const {
  size_t users = 0;
  for (const auto& [name, primary] : primaries_) {
    for (const auto& [id, peer] : primary->peers) users += peer->link.get() == &link ? 1 : 0;
  }
  return std::max<size_t>(users, 1);
}

bool Sentinel::Send(Instance& instance, Awaited what, std::initializer_list<std::string_view> words) {
  Link& link = *instance.link;
  if (!link.commands.open) return false;
  link.expected.push_back({what, instance.id, now()});
  port_.Send(link.commands.id, std::span(words.begin(), words.size()));
  return true;
}

Millis Sentinel::PingPeriod(const Instance& instance) const {
  const Millis often =
      std::clamp(instance.primary->down_after / kPingsPerDownAfter, kPingPeriodMin, kPingPeriodMax);
  return std::min({timing_.ping_period, instance.primary->down_after, often});
}

Millis Sentinel::InfoPeriod(const Instance& instance) const {
  if (instance.kind != Kind::kReplica) return timing_.info_period;
  const Primary& primary = *instance.primary;
  const auto& replica = static_cast<const Replica&>(instance);
  const bool matters = replica.promoted || replica.reconfiguration == Reconfiguration::kSent ||
                       replica.reconfiguration == Reconfiguration::kInProgress;
  if (primary.failing_over && primary.failover_state >= FailoverState::kWaitPromotion && matters)
    return std::min(timing_.info_period, kUrgentInfoPeriod);
  if (primary.objectively_down || primary.failing_over || replica.link_down != 0)
    return std::min(timing_.info_period, kReplicaInfoPeriod);
  return timing_.info_period;
}

void Sentinel::SendPeriodically(Instance& instance) {
  Link& link = *instance.link;
  if (!link.commands.open || link.expected.size() >= kExpectedMax * Users(link)) return;
  if (instance.kind != Kind::kPeer) {
    const Millis period = InfoPeriod(instance);
    const bool asked = instance.info_asked > instance.info_at && now() - instance.info_asked < kInfoPatience;
    if (!asked && now() - instance.info_at >= period) SendInfo(instance);
  }
  const Millis ping_period = PingPeriod(instance);
  if (now() - link.last_pong >= ping_period && now() - link.last_ping >= ping_period / 2) SendPing(instance);
  if (now() - instance.last_published >= timing_.publish_period) SendHello(instance);
}

void Sentinel::SendPing(Instance& instance) {
  if (!Send(instance, Awaited::kPing, {Renamed(instance, "ping")})) return;
  Link& link = *instance.link;
  link.last_ping = now();
  if (link.unanswered_since == 0) link.unanswered_since = link.last_ping;
}

void Sentinel::SendInfo(Instance& instance) {
  if (Send(instance, Awaited::kInfo, {Renamed(instance, "info")})) instance.info_asked = now();
}

void Sentinel::SendHello(Instance& instance) {
  const Link& link = *instance.link;
  if (!link.commands.open) return;
  const Primary& primary = *instance.primary;
  const Address& current = CurrentAddress(primary);
  const std::string hello = EncodeHello({
      .host = options_.announce_ip.empty() ? link.local_ip : options_.announce_ip,
      .port = static_cast<int>(options_.announce_port != 0 ? options_.announce_port : listening_port_),
      .run_id = options_.id,
      .current_epoch = current_epoch_,
      .primary_name = primary.name,
      .primary_host = Shown(current),
      .primary_port = current.port,
      .config_epoch = primary.config_epoch,
  });
  if (Send(instance, Awaited::kPublish, {Renamed(instance, "publish"), kHelloChannel, hello}))
    instance.last_published = now();
}

void Sentinel::SendHellos(Primary& primary) {
  SendHello(primary);
  for (const auto& [name, replica] : primary.replicas) SendHello(*replica);
  for (const auto& [id, peer] : primary.peers) SendHello(*peer);
}

bool Sentinel::SendReplicaOf(Instance& instance, const Address* to) {
  if (!instance.link->commands.open) return false;
  const std::string host = to == nullptr ? "NO" : Shown(*to);
  const std::string port = to == nullptr ? "ONE" : std::to_string(to->port);
  Send(instance, Awaited::kNothing, {Renamed(instance, "multi")});
  Send(instance, Awaited::kNothing, {Renamed(instance, "slaveof"), host, port});
  Send(instance, Awaited::kNothing, {Renamed(instance, "config"), "REWRITE"});
  // Clients find out where to go instead.
  Send(instance, Awaited::kNothing, {Renamed(instance, "client"), "KILL", "TYPE", "normal"});
  Send(instance, Awaited::kNothing, {Renamed(instance, "client"), "KILL", "TYPE", "pubsub"});
  Send(instance, Awaited::kReconfigure, {Renamed(instance, "exec")});
  instance.told = now();
  return true;
}

}  // namespace cinnabar::sentinel
