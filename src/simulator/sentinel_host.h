// A machine on which a sentinel runs: its clocks, its config file on a disk, its connections. It is what the
// server's own code is around the machine of sentinel/: commands leave and arrive as RESP, what must be on
// disk is on disk when Save returns.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_parser.h"
#include "sentinel/sentinel.h"
#include "simulator/gate.h"
#include "simulator/sentinel_clock.h"
#include "simulator/sentinel_wire.h"
#include "simulator/sentinel_world.h"

namespace cinnabar::simulator {

// Size: it implements two ports, of the machine and of the network.
class SentinelHost final : public NetworkUser, public sentinel::SentinelPort {
 public:
  // `number` is its place among the sentinels.
  SentinelHost(SentinelWorld& world, int number);
  ~SentinelHost() override;

  int number() const { return number_; }
  int node() const { return node_; }
  Gate& gate() { return gate_; }
  HostClock& clock() { return clock_; }
  // Null: it does not run.
  const sentinel::Sentinel* machine() const { return machine_.get(); }
  // Where it says the primary is, and since which config epoch.
  std::string PrimaryAddress() const;
  sentinel::Epoch ConfigEpoch() const;
  bool FailingOver() const;
  bool Knows(int server) const;

  // Without effect if it runs. Reads the last file, or the one that was written `older` times before it.
  void Start(size_t older = 0);
  void StopProcess();
  void FillDisk(Millis until) { disk_full_until_ = until; }
  // What people ask for.
  void Failover();
  void Reset();
  void SimulateFailures(uint32_t bits);

  // NetworkUser
  void OnAccepted(ConnectionId connection, int peer) override;
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId) override {}
  void OnClosed(ConnectionId connection) override;

  // SentinelPort
  void Connect(sentinel::ConnectionId connection, const sentinel::Address& address) override;
  void Send(sentinel::ConnectionId connection, std::span<const std::string_view> words) override;
  void Close(sentinel::ConnectionId connection) override;
  std::optional<std::string> Resolve(const std::string&) override { return std::nullopt; }
  void Announce(LogLevel level, std::string_view event, std::string_view text) override;
  void Log(LogLevel level, std::string_view text) override;
  Status Save() override;
  bool MayRun(const std::string&) override { return false; }
  Result<int64_t> StartScript(const sentinel::ScriptCall&) override {
    return Fail("there are no scripts here");
  }
  void KillScript(uint64_t) override {}
  void Crash() override { dying_ = true; }

 private:
  struct Outgoing {
    ConnectionId network;
    protocol::ReplyParser replies;
  };

  // Calls the machine, if there is one, and looks at what has become of it.
  void Call(const std::function<void(sentinel::Sentinel&)>& work);
  void After(Millis delay, std::function<void()> event);
  void Tick();
  std::vector<std::string> FirstLines() const;
  const sentinel::Primary* primary() const;
  void Trace(std::string_view what) const;
  void CrashAtStep();

  void TakeBytes(ConnectionId connection, const std::string& bytes);
  void TakeReplies(sentinel::ConnectionId id);
  void Distort(protocol::Reply& reply) const;
  std::string Execute(const std::vector<std::string>& words);
  std::string ExecuteSentinel(const std::vector<std::string>& words);
  std::string GiveOpinion(const std::vector<std::string>& words);
  void NoteTold(std::string_view hello_text) const;

  SentinelWorld& world_;
  const int number_;
  const int node_;
  HostClock clock_;
  Gate gate_;
  uint64_t life_ = 0;
  bool dying_ = false;
  std::unique_ptr<sentinel::Sentinel> machine_;
  std::deque<std::vector<std::string>> files_;  // on its disk; the last one counts
  Millis disk_full_until_ = 0;
  std::map<sentinel::ConnectionId, Outgoing> outgoing_;
  std::map<ConnectionId, sentinel::ConnectionId> ids_;
  std::map<ConnectionId, RequestReader> sessions_;
  sentinel::FailoverState last_step_ = sentinel::FailoverState::kNone;
};

}  // namespace cinnabar::simulator
