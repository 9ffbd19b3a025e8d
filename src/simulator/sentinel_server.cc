#include "simulator/sentinel_server.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/numbers.h"

namespace cinnabar::simulator {

ServerHost::ServerHost(SentinelWorld& world, int number)
    : world_(world),
      node_(number, world.events, world.network, world.random, world.watch, world.options.node) {
  if (number != 0) followed_on_disk_ = 0;
}

void ServerHost::Trace(std::string_view what) const {
  if (!world_.watch.tracing()) return;
  world_.watch.Trace(fmt::format("{} {} {}", world_.now(), node_.Description(), what));
}

// ---- its life ----

void ServerHost::Start(Node::Disk disk) {
  node_.Start(disk);
  world_.network.SetUser(node_.number(), this);
  run_id_ = ReplicationId::New(world_.random).text();
  if (followed_on_disk_) {
    node_.Follow(*followed_on_disk_);
  } else {
    node_.BecomePrimary();
  }
  Trace("starts");
}

void ServerHost::Crash() {
  Trace("crashes");
  if (world_.options.durable) node_.Save();
  node_.Crash();
  sessions_.clear();
  unanswered_.clear();
}

// ---- the network ----

void ServerHost::OnAccepted(ConnectionId connection, int peer) {
  node_.gate().Pass([this, connection, peer] {
    if (world_.IsServer(peer)) return node_.network_user().OnAccepted(connection, peer);
    sessions_[connection];
  });
}

void ServerHost::OnConnected(ConnectionId connection) {
  node_.gate().Pass([this, connection] { node_.network_user().OnConnected(connection); });
}

void ServerHost::OnBytes(ConnectionId connection, std::string_view bytes) {
  node_.gate().Pass([this, connection, text = std::string(bytes)] {
    if (sessions_.contains(connection)) return TakeBytes(connection, text);
    node_.network_user().OnBytes(connection, text);
  });
}

void ServerHost::OnWritable(ConnectionId connection) {
  node_.gate().Pass([this, connection] {
    if (!sessions_.contains(connection)) node_.network_user().OnWritable(connection);
  });
}

void ServerHost::OnClosed(ConnectionId connection) {
  node_.gate().Pass([this, connection] {
    if (sessions_.erase(connection) == 0) node_.network_user().OnClosed(connection);
  });
}

void ServerHost::EndSession(ConnectionId connection) {
  world_.network.Close(connection, node_.number());
  sessions_.erase(connection);
}

void ServerHost::TakeBytes(ConnectionId connection, const std::string& bytes) {
  sessions_[connection].reader.Feed(bytes);
  Words words;
  // A command may end the session.
  while (sessions_.contains(connection)) {
    Session& session = sessions_[connection];
    const auto outcome = session.reader.Next(words);
    if (outcome == RequestReader::Outcome::kDamaged) world_.watch.Broken("a server hears no request");
    if (outcome != RequestReader::Outcome::kRequest) return;
    if (!words.empty()) world_.network.Send(connection, node_.number(), Execute(connection, session, words));
  }
}

// ---- commands ----

std::string ServerHost::Execute(ConnectionId connection, Session& session, const Words& words) {
  if (SameWord(words[0], "MULTI")) {
    session.in_transaction = true;
    session.queued.clear();
    return std::string(kOkReply);
  }
  if (SameWord(words[0], "EXEC")) return RunTransaction(connection, session);
  if (session.in_transaction) {
    session.queued.push_back(words);
    return "+QUEUED\r\n";
  }
  return Run(connection, words);
}

std::string ServerHost::RunTransaction(ConnectionId connection, Session& session) {
  if (!session.in_transaction) return "-ERR there is no transaction\r\n";
  session.in_transaction = false;
  const std::vector<Words> queued = std::exchange(session.queued, {});
  std::string reply = ArrayHeader(queued.size());
  for (const Words& words : queued) reply += Run(connection, words);
  return reply;
}

std::string ServerHost::Run(ConnectionId connection, const Words& words) {
  const std::string& name = words[0];
  if (SameWord(name, "PING")) return node_.readable() ? "+PONG\r\n" : "-LOADING not yet\r\n";
  if (SameWord(name, "INFO")) return BulkReply(Info());
  if (SameWord(name, "ROLE")) return RoleReply();
  if (SameWord(name, "AUTH")) return std::string(kOkReply);
  if (SameWord(name, "CLIENT") && words.size() == 4 && SameWord(words[1], "KILL")) {
    return KillClients(connection, words);
  }
  if (SameWord(name, "CLIENT")) return std::string(kOkReply);
  if (SameWord(name, "SCRIPT")) return "-NOTBUSY no script runs\r\n";
  if (SameWord(name, "CONFIG")) return Rewrite();
  if ((SameWord(name, "SLAVEOF") || SameWord(name, "REPLICAOF")) && words.size() == 3)
    return ReplicaOf(words);
  if (SameWord(name, "SUBSCRIBE") && words.size() == 2) return Subscribe(connection, words);
  if (SameWord(name, "PUBLISH") && words.size() == 3) return Publish(words);
  if (SameWord(name, "SET") && words.size() == 3) return Write(connection, words);
  world_.watch.Broken("a server is sent " + name);
  return "-ERR what is that?\r\n";
}

std::string ServerHost::Info() const {
  std::string text = fmt::format("# Server\r\nrun_id:{}\r\n# Replication\r\n", run_id_);
  const bool hides = world_.options.bug == SentinelBug::kReplicasHideTheirOffsets;
  const StreamOffset offset = node_.readable() && !hides ? node_.offset() : 0;
  if (node_.is_primary()) {
    text += "role:master\r\n";
  } else {
    text += "role:slave\r\n";
    // It may have nobody to follow when it has lost its config file, which is not among the faults.
    const int followed = node_.followed().value_or(node_.number());
    const bool up = node_.link_online();
    text += fmt::format("master_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\n", AddressOf(followed),
                        kServerPort, up ? "up" : "down");
    text += fmt::format("slave_repl_offset:{}\r\n", offset);
    if (!up) {
      text += fmt::format("master_link_down_since_seconds:{}\r\n",
                          (world_.now() - node_.link_down_since()) / kMillisPerSecond);
    }
    const int priority = world_.options.never_promoted == node_.number() ? 0 : 100;
    text += fmt::format("slave_priority:{}\r\nreplica_announced:1\r\n", priority);
  }
  const std::vector<int> followers = node_.followers();
  text += fmt::format("connected_slaves:{}\r\n", followers.size());
  for (size_t i = 0; i < followers.size(); ++i) {
    text += fmt::format("slave{}:ip={},port={},state=online,offset=0,lag=0\r\n", i, AddressOf(followers[i]),
                        kServerPort);
  }
  return text + fmt::format("master_repl_offset:{}\r\n", offset);
}

std::string ServerHost::RoleReply() const {
  const auto offset = IntegerReply(static_cast<int64_t>(node_.offset()));
  if (node_.is_primary()) return ArrayHeader(3) + BulkReply("master") + offset + ArrayHeader(0);
  return ArrayHeader(5) + BulkReply("slave") + BulkReply(AddressOf(node_.followed().value_or(0))) +
         IntegerReply(kServerPort) + BulkReply(node_.link_online() ? "connected" : "connect") + offset;
}

std::string ServerHost::ReplicaOf(const Words& words) {
  Trace(fmt::format("is told SLAVEOF {} {}", words[1], words[2]));
  if (SameWord(words[1], "NO") && SameWord(words[2], "ONE")) {
    node_.BecomePrimary();
    return std::string(kOkReply);
  }
  const auto primary = NodeAt(words[1]);
  if (!primary || !world_.IsServer(*primary) || ParseInt64(words[2]) != kServerPort) {
    world_.watch.Broken("a server is told to follow " + words[1] + " " + words[2]);
    return "-ERR that is no server\r\n";
  }
  if (*primary == node_.number()) {
    world_.watch.Broken("a server is told to follow itself");
    return "-ERR that is this server\r\n";
  }
  node_.Follow(*primary);
  return std::string(kOkReply);
}

std::string ServerHost::Rewrite() {
  if (world_.faulty && world_.options.rewrites_fail && world_.random.OneIn(4))
    return "-ERR the disk is full\r\n";
  followed_on_disk_ = node_.followed();
  return std::string(kOkReply);
}

// CLIENT KILL TYPE normal | pubsub: all but the one who says it.
std::string ServerHost::KillClients(ConnectionId connection, const Words& words) {
  const bool subscribed = SameWord(words[3], "pubsub");
  std::vector<ConnectionId> killed;
  for (const auto& [other, session] : sessions_) {
    if (other != connection && session.subscribed == subscribed) killed.push_back(other);
  }
  for (ConnectionId other : killed) EndSession(other);
  return IntegerReply(static_cast<int64_t>(killed.size()));
}

std::string ServerHost::Subscribe(ConnectionId connection, const Words& words) {
  sessions_[connection].subscribed = true;
  return ArrayHeader(3) + BulkReply("subscribe") + BulkReply(words[1]) + IntegerReply(1);
}

// There is one channel.
std::string ServerHost::Publish(const Words& words) {
  int64_t receivers = 0;
  for (const auto& [connection, session] : sessions_) {
    if (!session.subscribed) continue;
    world_.network.Send(connection, node_.number(), BulkArrayReply({"message", words[1], words[2]}));
    ++receivers;
  }
  return IntegerReply(receivers);
}

std::string ServerHost::Write(ConnectionId connection, const Words& words) {
  if (!node_.is_primary()) return "-READONLY this is a replica\r\n";
  node_.Write({words});
  if (world_.options.node.acks_needed == 0) return std::string(kOkReply);
  unanswered_.push_back({node_.position(), connection});
  return {};
}

void ServerHost::AnswerWrite(const Position& position) {
  while (!unanswered_.empty()) {
    const Unanswered write = unanswered_.front();
    // Writes of another history are never answered.
    if (write.position.id == position.id && write.position.offset > position.offset) return;
    unanswered_.pop_front();
    if (write.position == position && sessions_.contains(write.connection)) {
      world_.network.Send(write.connection, node_.number(), std::string(kOkReply));
    }
  }
}

}  // namespace cinnabar::simulator
