#include "simulator/cluster_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "simulator/cluster_checks.h"
#include "simulator/cluster_host.h"
#include "simulator/cluster_keys.h"
#include "simulator/cluster_watch.h"

namespace cinnabar::simulator {

// ---- roles ----

void ClusterServer::Forget() {
  sessions_.clear();
  accepted_.clear();
  pending_.clear();
  held_.clear();
  paused_until_ = 0;
  drop_all_ = false;
}

void ClusterServer::FollowsNow() {
  heard_at_ = world_.now();
  pending_.clear();
}

void ClusterServer::LeadsNow() {
  if (std::exchange(drop_all_, false)) DropAllKeys();
}

void ClusterServer::Pause(Millis until) {
  paused_until_ = std::max(paused_until_, until);
  host_.node().HoldPings();
  world_.events.After(paused_until_ - world_.now(), [this] {
    host_.gate().Pass([this] {
      if (world_.now() >= paused_until_) Resume();
    });
  });
}

// The machine is in the middle of a call: who waits is served behind it.
void ClusterServer::Resume() {
  paused_until_ = 0;
  if (host_.node().running()) host_.node().GoOnPinging();
  world_.events.After(0, [this] {
    if (host_.machine() != nullptr) host_.gate().Pass([this] { ServeHeld(); });
  });
}

void ClusterServer::ServeHeld() {
  if (world_.now() < paused_until_) return;
  for (Held& held : std::exchange(held_, {})) {
    if (host_.machine() != nullptr && sessions_.contains(held.connection))
      Set(held.connection, held.words, held.asking);
  }
}

// ---- keys ----

std::vector<std::string> ClusterServer::KeysIn(int slot) const {
  std::vector<std::string> keys;
  const auto& entries = host_.node().data().entries();
  const std::string first = KeyInSlot(slot, {});
  for (auto it = entries.lower_bound({0, first}); it != entries.end() && it->first.second.starts_with(first);
       ++it)
    keys.push_back(it->first.second);
  return keys;
}

void ClusterServer::DropKeys(const cluster::SlotSet& slots) {
  // A replica gets what its primary does.
  if (!host_.node().is_primary()) return;
  slots.ForEach([this](int slot) {
    for (const std::string& key : KeysIn(slot)) Write({"DEL", key}, {});
  });
}

void ClusterServer::DropAllKeys() {
  if (!host_.node().is_primary()) {
    drop_all_ = true;
    return;
  }
  std::vector<std::string> keys;
  for (const auto& [key, value] : host_.node().data().entries()) keys.push_back(key.second);
  for (const std::string& key : keys) Write({"DEL", key}, {});
}

std::set<int> ClusterServer::KnownReplicas() const {
  std::set<int> hosts;
  for (const cluster::Node* replica : host_.machine()->myself().replicas) {
    // Who cannot be found has no data either, but counts: nobody can know that.
    hosts.insert(world_.HostOf(replica->id).value_or(-1));
  }
  return hosts;
}

void ClusterServer::Write(const Words& words, Done done) {
  Node& node = host_.node();
  const bool waits = world_.options.acks && world_.options.bug != ClusterBug::kAnswersTooEarly;
  options_.acks_needed = waits ? std::max<size_t>(1, KnownReplicas().size()) : 0;
  node.Write({words});
  if (waits) {
    pending_.push_back({node.position(), words[1], std::move(done)});
    return;
  }
  if (world_.options.acks) NoteAcknowledged(words[1], {});
  if (done) done();
}

void ClusterServer::NoteAcknowledged(const std::string& key, const std::vector<int>& holders) const {
  const bool early = world_.options.bug == ClusterBug::kAnswersTooEarly;
  const bool all = std::ranges::all_of(
      KnownReplicas(), [&](int replica) { return std::ranges::find(holders, replica) != holders.end(); });
  if (!early && !all) {
    ++world_.watch.doubtful;
  } else {
    world_.watch.Promise(key);
  }
}

void ClusterServer::Acknowledged(const AnsweredWrite& write) {
  while (!pending_.empty()) {
    Pending& first = pending_.front();
    if (first.position.id == write.position.id && first.position.offset > write.position.offset) return;
    Pending pending = std::move(first);
    pending_.pop_front();
    // Writes of another history are never answered.
    if (pending.position != write.position) continue;
    if (pending.done) {
      NoteAcknowledged(pending.key, write.holders);
      pending.done();
    }
  }
}

// ---- clients ----

std::string ClusterServer::Redirection(int slot, std::string_view key, bool asking) const {
  const cluster::Cluster& machine = *host_.machine();
  const auto to = [&](std::string_view word, const cluster::Node& node) {
    return fmt::format("-{} {} {}:{}\r\n", word, slot, node.ip, node.port);
  };
  if (!machine.healthy() && world_.options.bug != ClusterBug::kWritesWhileDown)
    return "-CLUSTERDOWN The cluster is down\r\n";
  const cluster::Node* owner = machine.Owner(slot);
  if (owner == nullptr) return "-CLUSTERDOWN Hash slot not served\r\n";
  if (owner == &machine.myself()) {
    const cluster::Node* target = machine.MigratingTo(slot);
    if (target == nullptr || host_.node().data().entries().contains({0, std::string(key)})) return {};
    return to("ASK", *target);
  }
  if (asking && machine.ImportingFrom(slot) != nullptr) return {};
  return to("MOVED", *owner);
}

void ClusterServer::Set(ConnectionId connection, const Words& words, bool asking) {
  const int slot = SlotOfKey(words[1]);
  std::string redirection = Redirection(slot, words[1], asking);
  if (!redirection.empty()) return Reply(connection, std::move(redirection));
  if (world_.now() < paused_until_) {
    held_.push_back({connection, words, asking});
    return;
  }
  if (!host_.node().is_primary()) {
    return world_.watch.Broken(fmt::format("host {} owns slot {} and is a replica", host_.number(), slot));
  }
  ++world_.watch.writes;
  world_.checks.OnWrite(host_.number(), world_.now());
  Write(words, [this, connection] { Reply(connection, std::string(kOkReply)); });
}

void ClusterServer::Reply(ConnectionId connection, std::string text) {
  if (sessions_.contains(connection)) world_.network.Send(connection, host_.number(), std::move(text));
}

void ClusterServer::Execute(ConnectionId connection, Session& session, const Words& words) {
  if (SameWord(words[0], "ASKING")) {
    session.asking = true;
    return Reply(connection, std::string(kOkReply));
  }
  if (SameWord(words[0], "SET") && words.size() == 3)
    return Set(connection, words, std::exchange(session.asking, false));
  world_.watch.Broken("a node is sent " + words[0]);
}

void ClusterServer::TakeBytes(ConnectionId connection, const std::string& bytes) {
  sessions_[connection].reader.Feed(bytes);
  Words words;
  while (sessions_.contains(connection)) {
    Session& session = sessions_[connection];
    const auto outcome = session.reader.Next(words);
    if (outcome == RequestReader::Outcome::kDamaged) world_.watch.Broken("a node hears no request");
    if (outcome != RequestReader::Outcome::kRequest) return;
    if (!words.empty()) Execute(connection, session, words);
  }
}

// ---- the network ----

void ClusterServer::OnAccepted(ConnectionId connection, int peer) {
  host_.gate().Pass([this, connection, peer] {
    if (!world_.IsServer(peer)) {
      sessions_[connection];
      return;
    }
    accepted_.insert(connection);
    host_.node().network_user().OnAccepted(connection, peer);
  });
}

void ClusterServer::OnConnected(ConnectionId connection) {
  host_.gate().Pass([this, connection] { host_.node().network_user().OnConnected(connection); });
}

void ClusterServer::OnBytes(ConnectionId connection, std::string_view bytes) {
  host_.gate().Pass([this, connection, text = std::string(bytes)] {
    if (sessions_.contains(connection)) return TakeBytes(connection, text);
    if (!accepted_.contains(connection)) heard_at_ = world_.now();
    host_.node().network_user().OnBytes(connection, text);
  });
}

void ClusterServer::OnWritable(ConnectionId connection) {
  host_.gate().Pass([this, connection] {
    if (!sessions_.contains(connection)) host_.node().network_user().OnWritable(connection);
  });
}

void ClusterServer::OnClosed(ConnectionId connection) {
  host_.gate().Pass([this, connection] {
    accepted_.erase(connection);
    if (sessions_.erase(connection) == 0) host_.node().network_user().OnClosed(connection);
  });
}

}  // namespace cinnabar::simulator
