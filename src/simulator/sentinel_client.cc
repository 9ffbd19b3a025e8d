#include "simulator/sentinel_client.h"

#include "base/numbers.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kTurn = 80;
constexpr Millis kPatience = 2500;
constexpr int kWaitingMax = 4;
constexpr uint64_t kKeys = 20;
constexpr uint64_t kValueBytes = 60;

}  // namespace

ClientHost::ClientHost(SentinelWorld& world, int number) : world_(world), node_(world.ClientNode(number)) {}

void ClientHost::Start() {
  world_.network.SetUser(node_, this);
  world_.events.After(world_.Some(kTurn), [this] { Turn(); });
}

void ClientHost::Turn() {
  world_.events.After(world_.Some(kTurn), [this] { Turn(); });
  if (connection_ == 0) {
    if (!resting_) {
      const auto sentinel =
          static_cast<int>(world_.random.Uniform(static_cast<uint64_t>(world_.options.sentinels)));
      Connect(world_.SentinelNode(sentinel), State::kAsks);
    }
    return;
  }
  if (waiting_ > 0 && world_.now() - heard_at_ > kPatience) return Leave();
  if (state_ == State::kWrites && !resting_ && waiting_ < kWaitingMax) WriteSomething();
}

void ClientHost::Connect(int node, State state) {
  connection_ = world_.network.Connect(node_, node);
  state_ = state;
  waiting_ = 1;
  heard_at_ = world_.now();
  replies_.Reset();
}

void ClientHost::Leave() {
  world_.network.Close(connection_, node_);
  connection_ = 0;
  state_ = State::kIdle;
}

void ClientHost::WriteSomething() {
  const std::string key = "k" + Int64ToString(static_cast<int64_t>(world_.random.Uniform(kKeys)));
  std::string value = Int64ToString(node_) + "-" + Int64ToString(static_cast<int64_t>(++written_));
  value.append(world_.random.Uniform(kValueBytes), 'x');
  if (waiting_ == 0) heard_at_ = world_.now();
  ++waiting_;
  world_.network.Send(connection_, node_, Encoded({"SET", key, value}));
}

void ClientHost::OnConnected(ConnectionId connection) {
  if (connection != connection_) return;
  world_.network.Send(connection_, node_,
                      state_ == State::kAsks ? Encoded({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", kPrimaryName})
                                             : Encoded({"ROLE"}));
}

void ClientHost::OnClosed(ConnectionId connection) {
  if (connection != connection_) return;
  connection_ = 0;
  state_ = State::kIdle;
}

void ClientHost::OnBytes(ConnectionId connection, std::string_view bytes) {
  if (connection != connection_) return;
  replies_.Feed(bytes);
  protocol::Reply reply;
  while (connection == connection_ && replies_.Next(reply) == protocol::ReplyParser::Outcome::kReply) {
    TakeReply(reply);
  }
}

void ClientHost::TakeReply(const protocol::Reply& reply) {
  heard_at_ = world_.now();
  --waiting_;
  switch (state_) {
    case State::kIdle:
      return;
    case State::kAsks: {
      Leave();
      const auto node = reply.IsArray(2) ? NodeAt(reply.elements[0].text) : std::nullopt;
      if (node && world_.IsServer(*node)) Connect(*node, State::kIntroduces);
      return;
    }
    case State::kIntroduces:
      if (!reply.IsArray(1) || reply.elements[0].text != "master") return Leave();
      state_ = State::kWrites;
      return;
    case State::kWrites:
      if (reply.is_error()) return Leave();
      ++answered_;
      return;
  }
}

}  // namespace cinnabar::simulator
