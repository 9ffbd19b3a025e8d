// A client that writes: it asks a sentinel where the primary is, goes there, makes sure by ROLE that it is
// one, and writes until something goes wrong; then it asks again. Some clients ask rarely and stay where they
// are for as long as they are answered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_parser.h"
#include "simulator/sentinel_world.h"

namespace cinnabar::simulator {

class ClientHost final : public NetworkUser {
 public:
  ClientHost(SentinelWorld& world, int number);

  void Start();
  // It stays, and writes no more.
  void Rest() { resting_ = true; }
  uint64_t answered() const { return answered_; }

  // NetworkUser
  void OnAccepted(ConnectionId, int) override {}
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId) override {}
  void OnClosed(ConnectionId connection) override;

 private:
  enum class State : uint8_t { kIdle, kAsks, kIntroduces, kWrites };

  void Turn();
  void Connect(int node, State state);
  void Leave();
  void TakeReply(const protocol::Reply& reply);
  void WriteSomething();

  SentinelWorld& world_;
  const int node_;
  State state_ = State::kIdle;
  bool resting_ = false;
  ConnectionId connection_ = 0;
  protocol::ReplyParser replies_;
  Millis heard_at_ = 0;
  int waiting_ = 0;  // for so many answers
  uint64_t answered_ = 0;
  uint64_t written_ = 0;
};

}  // namespace cinnabar::simulator
