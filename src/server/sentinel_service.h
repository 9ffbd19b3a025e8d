// SentinelService: the sentinel machine plugged into the world. Connections, host names, the log and the
// channels, the config file, scripts, time.
//
//   Server::Run -> Start -> machine
//   loop -> Work -> scripts that have ended, lookups, OnTick -> machine
//        -> SentinelLinks -> Connected, Received, Closed -> machine
//   machine -> SentinelPort -> links, log, channels, config, scripts
//
// Core 0's thread, inside the gate. Commands may call the machine on other cores with the world stopped: what
// it asks of the port then needs no more than that.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "dispatch/services.h"
#include "sentinel/port.h"
#include "sentinel/sentinel.h"
#include "server/core.h"
#include "server/known_names.h"
#include "server/script_processes.h"
#include "server/sentinel_links.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {

class SentinelService final : public sentinel::SentinelPort, private LinkListener {
 public:
  // All must outlive this.
  SentinelService(dispatch::Services& services, const Cores& cores, const TlsContexts& tls, uint64_t seed);

  sentinel::Sentinel& machine() { return machine_; }

  // When the listeners are open, on core 0 or before the cores run. The error is the text for the log:
  // without a config file that can be written a sentinel is of no use.
  Status Start();
  // In every turn of core 0. Returns in how many milliseconds there is more to do.
  Millis Work();

  // sentinel::SentinelPort:
  void Connect(sentinel::ConnectionId id, const sentinel::Address& address) override;
  void Send(sentinel::ConnectionId id, std::span<const std::string_view> words) override;
  void Close(sentinel::ConnectionId id) override;
  std::optional<std::string> Resolve(const std::string& name) override;
  void Announce(LogLevel level, std::string_view event, std::string_view text) override;
  void Log(LogLevel level, std::string_view text) override;
  Status Save() override;
  bool MayRun(const std::string& path) override;
  Result<int64_t> StartScript(const sentinel::ScriptCall& call) override;
  void KillScript(uint64_t number) override;
  void Crash() override;

 private:
  // LinkListener:
  void LinkConnected(sentinel::ConnectionId id, std::string_view local_ip) override;
  void LinkReceived(sentinel::ConnectionId id, const protocol::Reply& reply) override;
  void LinkClosed(sentinel::ConnectionId id) override;

  Millis Now() const { return clock_.MonotonicNanos() / kNanosPerMilli; }
  void Tick();

  dispatch::Services& services_;
  CoreLoop loop_;
  SystemClock clock_;
  Random random_;
  bool started_ = false;
  Millis next_tick_ = 0;
  KnownNames names_;
  ScriptProcesses scripts_;
  SentinelLinks links_;
  sentinel::Sentinel machine_;
};

}  // namespace cinnabar::server
