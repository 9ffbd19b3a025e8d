// SentinelPort: what the Sentinel machine does to the world. Sans-I/O: the server plugs sockets, files and
// processes in here, the simulator (DESIGN §16) virtual ones.
//
// The calls come from inside the machine's own functions: an implementation must not call the machine back
// before it has returned. Views are good during the call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"

namespace cinnabar::sentinel {

// One connection that the machine has asked for. Never used again; 0 is none.
using ConnectionId = uint64_t;

// Where a node is. `name` is what it was called by (a host name or a numeric address), `ip` what that
// meant when it was last looked up; they are the same for a numeric address.
struct Address {
  std::string name;
  std::string ip;
  int port = 0;

  bool operator==(const Address&) const = default;
};

// A script that is to run.
struct ScriptCall {
  uint64_t number = 0;  // of the run; never used again
  std::string path;
  std::span<const std::string> arguments;
};

class SentinelPort {
 public:
  virtual ~SentinelPort() = default;

  // Begin to connect; answer with Sentinel::Connected or Sentinel::Closed. A name is to be looked up anew.
  virtual void Connect(ConnectionId connection, const Address& address) = 0;
  // One command, in order behind what was sent before. REQUIRES: Connected was called.
  virtual void Send(ConnectionId connection, std::span<const std::string_view> words) = 0;
  // Close it, without reporting it with Closed.
  virtual void Close(ConnectionId connection) = 0;

  // The numeric address of a host name, or none. Called for names in the config file, and for others if
  // names are allowed (resolve-hostnames).
  virtual std::optional<std::string> Resolve(const std::string& name) = 0;

  // Something happened: to be written to the log as "EVENT TEXT", and from kVerbose on to be published, the
  // text on the channel that is called like the event.
  virtual void Announce(LogLevel level, std::string_view event, std::string_view text) = 0;
  // A line for the log alone.
  virtual void Log(LogLevel level, std::string_view text) = 0;

  // Writes Sentinel::Lines() to the config file such that they survive a crash of the machine, before it
  // returns.
  virtual Status Save() = 0;

  // Whether this file can be run.
  virtual bool MayRun(const std::string& path) = 0;
  // Run it as a process of its own, whose number is returned; answer with Sentinel::ScriptEnded. On failure
  // nothing is answered.
  virtual Result<int64_t> StartScript(const ScriptCall& call) = 0;
  // It has run for too long: end it the hard way. ScriptEnded follows.
  virtual void KillScript(uint64_t number) = 0;

  // SENTINEL SIMULATE-FAILURE: the process ends at once, without a word to anybody.
  virtual void Crash() = 0;
};

}  // namespace cinnabar::sentinel
