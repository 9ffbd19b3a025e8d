#include "simulator/cluster_client.h"

#include "base/numbers.h"
#include "simulator/cluster_keys.h"
#include "simulator/cluster_watch.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kTurn = 60;
constexpr Millis kPatience = 1500;
constexpr int kRedirectionsMax = 6;

}  // namespace

void ClusterClient::Start() {
  world_.network.SetUser(node_, this);
  world_.events.After(world_.Some(kTurn), [this] { Turn(); });
}

void ClusterClient::Turn() {
  world_.events.After(world_.Some(kTurn), [this] { Turn(); });
  if (request_ && world_.now() - request_->begun_at > kPatience) {
    Leave(request_->host);
    GiveUp();
  }
  if (!request_ && !resting_) Begin();
}

// Whether it was written nobody knows.
void ClusterClient::GiveUp() {
  if (!request_) return;
  where_.erase(request_->slot);
  request_.reset();
}

void ClusterClient::Begin() {
  const int slot = BusySlot(static_cast<int>(world_.random.Uniform(kBusySlots)));
  const auto known = where_.find(slot);
  const std::string rest = Int64ToString(node_) + "-" + Int64ToString(static_cast<int64_t>(++begun_));
  request_ = {.host = 0, .slot = slot, .key = KeyInSlot(slot, rest), .begun_at = world_.now()};
  Send(known == where_.end() ? world_.SomeHost() : known->second, false);
}

void ClusterClient::Send(int host, bool asking) {
  request_->host = host;
  request_->asking = asking;
  Server& server = servers_[host];
  if (server.connection == 0) server.connection = world_.network.Connect(node_, host);
  std::string bytes = asking ? Encoded({"ASKING"}) : std::string();
  bytes += Encoded({"SET", request_->key, "v"});
  if (server.connected) {
    world_.network.Send(server.connection, node_, std::move(bytes));
  } else {
    server.output = std::move(bytes);
  }
}

void ClusterClient::Leave(int host) {
  const auto it = servers_.find(host);
  if (it == servers_.end()) return;
  world_.network.Close(it->second.connection, node_);
  servers_.erase(it);
}

void ClusterClient::OnConnected(ConnectionId connection) {
  for (auto& [host, server] : servers_) {
    if (server.connection != connection) continue;
    server.connected = true;
    world_.network.Send(connection, node_, std::exchange(server.output, {}));
  }
}

void ClusterClient::OnClosed(ConnectionId connection) {
  for (auto it = servers_.begin(); it != servers_.end(); ++it) {
    if (it->second.connection != connection) continue;
    if (request_ && request_->host == it->first) GiveUp();
    servers_.erase(it);
    return;
  }
}

void ClusterClient::OnBytes(ConnectionId connection, std::string_view bytes) {
  for (auto& [host, server] : servers_) {
    if (server.connection != connection) continue;
    server.replies.Feed(bytes);
    protocol::Reply reply;
    while (request_ && request_->host == host &&
           server.replies.Next(reply) == protocol::ReplyParser::Outcome::kReply) {
      TakeReply(reply);
    }
    return;
  }
}

void ClusterClient::TakeReply(const protocol::Reply& reply) {
  if (request_->asking) {
    request_->asking = false;
    return;
  }
  if (reply.is_error()) return GoWhereItSays(reply.text);
  ++answered_;
  where_[request_->slot] = request_->host;
  request_.reset();
}

// "MOVED 1234 10.0.0.3:6379", or an error that is none of these.
void ClusterClient::GoWhereItSays(std::string_view error) {
  const bool moved = error.starts_with("MOVED "), ask = error.starts_with("ASK ");
  const size_t begin = error.rfind(' '), end = error.rfind(':');
  if ((!moved && !ask) || end == std::string_view::npos || end < begin) return GiveUp();
  const auto host = NodeAt(error.substr(begin + 1, end - begin - 1));
  if (!host || !world_.IsServer(*host) || ++request_->redirected > kRedirectionsMax) return GiveUp();
  if (moved) where_[request_->slot] = *host;
  Send(*host, ask);
}

}  // namespace cinnabar::simulator
