// Services: what a handler may ask of the server beyond its keys. Each is a small class or port of its own;
// the composition root (server/) makes them and hands them to every core.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace cinnabar::config {
class Config;
struct Settings;
}  // namespace cinnabar::config
namespace cinnabar::journal {
class Journal;
}
namespace cinnabar::keyspace {
class Keyspace;
}
namespace cinnabar::pubsub {
class Channels;
}
namespace cinnabar::telemetry {
class SlowLog;
class LatencyMonitor;
class CommandStats;
class ErrorStats;
}  // namespace cinnabar::telemetry

namespace cinnabar::dispatch {

class Registry;
class Dispatcher;
struct Session;
struct BlockedCall;

// The connected clients of all cores. With the world stopped, unless said otherwise.
class Clients {
 public:
  virtual ~Clients() = default;
  virtual void ForEach(const std::function<void(Session&)>& visit) = 0;
  virtual Session* Find(uint64_t id) = 0;
  // Closes the connection; the caller's own is closed after its reply.
  virtual void Close(Session& session, const Session* caller) = 0;
  // Lets the core that owns the session look at it again (something was written to it, a pause ended ...).
  virtual void Wake(Session& session) = 0;
  // Brings the reply of a blocked command that is done to its session. Any core, any time.
  virtual void Resume(std::shared_ptr<BlockedCall> call) = 0;
  virtual size_t Count() const = 0;
  // Sends a line to every session in MONITOR mode. Any core, any time.
  virtual void FeedMonitors(std::string line) = 0;
};

// CLIENT PAUSE. Changed with the world stopped; read by every core between commands.
enum class PauseMode : uint8_t { kNone, kWrites, kAll };
struct PauseState {
  PauseMode mode = PauseMode::kNone;
  Millis until = 0;
};

// What SHUTDOWN, signals and DEBUG ask of the process.
struct ShutdownRequest {
  bool save = false;
  bool nosave = false;
  bool now = false;
  bool force = false;
};

class ServerControl {
 public:
  virtual ~ServerControl() = default;
  // Begins an orderly shutdown; an error says why it cannot be. The process ends after the current command.
  virtual Status Shutdown(const ShutdownRequest& request) = 0;
  virtual bool AbortShutdown() = 0;
  // Applies what follows from a change of the pause: keys expire or not, postponed clients wake. With the
  // world stopped.
  virtual void PauseChanged() = 0;
  // INFO text for the given sections, in order. `all`, `default` and `everything` are understood.
  virtual std::string Info(const std::vector<std::string>& sections) = 0;
  virtual void ResetStatistics() = 0;
  virtual uint64_t UsedMemory() = 0;
  // Of UsedMemory, what maxmemory does not count: buffers that eviction would only make longer.
  virtual uint64_t UncountedMemory() = 0;
  virtual uint64_t PeakMemory() = 0;
  virtual uint64_t StartupMemory() = 0;
  virtual std::string_view RunId() const = 0;
  // Gives the stream of changes a new identity, so that no replica can go on from the old one.
  virtual void ChangeReplicationId() = 0;
  virtual Millis StartedAt() const = 0;
  virtual int Cores() const = 0;
  // Runs `work` on a worker thread, some time.
  virtual void Defer(std::function<void()> work) = 0;
};

// The files that keep the data set. With the world stopped, unless said otherwise.
class DataFiles {
 public:
  enum class When : uint8_t { kNow, kWhenPossible };
  enum class Begun : uint8_t { kStarted, kScheduled };

  virtual ~DataFiles() = default;
  // Errors are texts for the client ("ERR ...").
  virtual Status Save() = 0;
  virtual Result<Begun> SaveInBackground(When when) = 0;
  virtual Result<Begun> RewriteInBackground() = 0;
  virtual int64_t LastSaveSeconds() const = 0;
  // The data set has been emptied: a snapshot that is being written is out of date, and the file as well.
  virtual void DataSetEmptied() = 0;
  // Why clients may not write at the moment ("MISCONF ..."); empty if they may. Any core, any time.
  virtual std::string WriteRefusal() const = 0;
  // Lets what was appended to the journal go to disk at once: at the end of a batch whose replies wait for
  // it. Any core, any time.
  virtual void Kick() = 0;
  // Loads the data set again from a file: of DEBUG RELOAD, DEBUG LOADAOF.
  struct ReloadOptions {
    bool save = true;    // first
    bool flush = true;   // before loading
    bool merge = false;  // keys that exist already are replaced
  };
  virtual Status Reload(const ReloadOptions& options) = 0;
  virtual Status ReloadAppendOnly() = 0;
  // How far the append-only file has the journal safely on disk. Any core, inside a batch.
  struct LocalCopy {
    bool kept = false;     // appendonly is on
    uint64_t durable = 0;  // a crash loses nothing before this offset of the journal
  };
  virtual LocalCopy Local() const = 0;
};

// What stops the usual way of commands. Bits; set and cleared with the world stopped, read by every core.
namespace Alarm {
enum : uint32_t {
  kLoading = 1,       // the data set is not complete yet
  kDiskTrouble = 2,   // DataFiles::WriteRefusal may have something to say
  kGatedReplies = 4,  // replies wait until what they tell is on disk (DESIGN §6)
};
}  // namespace Alarm

// Sees every executed command in the serial order of the shards it held. For tests that prove that order.
class HistoryObserver {
 public:
  virtual ~HistoryObserver() = default;
  // Of a command that blocks: it has its place in the order, too, since it may have left something behind (a
  // consumer). It has another one when it is served.
  static constexpr std::string_view kWaits = "(waits)";
  // Called while the command's shards are held.
  virtual void OnCommand(const Session& session, std::span<const std::string_view> argv,
                         std::string_view reply) = 0;
};

// Receives keyspace notifications; called while the key's shard is held.
class KeyspaceNotifier {
 public:
  virtual ~KeyspaceNotifier() = default;
  virtual void OnKeyspaceEvent(uint32_t event_class, std::string_view event, int database,
                               std::string_view key) = 0;
};

// Switches that DEBUG turns, for tests of clients and of the server. Changed with the world stopped.
struct DebugSwitches {
  bool active_expire = true;
  bool pause_cron = false;
  bool reply_buffer_resizing = true;
  // How long a reply buffer's peak is remembered; < 0: for ever.
  Millis reply_buffer_peak_reset = 5000;
  bool deny_scripts_disabled = false;
  // From how many bytes on an element of a large list stands alone; 0: when it does not fit a node.
  size_t list_plain_from = 0;
  bool check_payload_checksums = true;  // of RESTORE
};

struct Services {
  config::Config& config;
  const config::Settings& settings;
  keyspace::Keyspace& keyspace;
  journal::Journal& journal;
  Registry& registry;
  Clients& clients;
  ServerControl& control;
  telemetry::SlowLog& slow_log;
  telemetry::LatencyMonitor& latency;
  Logger& log;
  PauseState& pause;
  DebugSwitches& debug;
  // One dispatcher per core; the statistics of the others may be read with the world stopped.
  std::vector<Dispatcher*>& dispatchers;
  std::atomic<uint64_t>& monitors;  // sessions in MONITOR mode
  HistoryObserver* history = nullptr;
  KeyspaceNotifier* notifier = nullptr;
  pubsub::Channels* channels = nullptr;          // always there in a server
  DataFiles* files = nullptr;                    // always there in a server
  std::atomic<uint32_t> alarms{0};               // Alarm bits
  std::atomic<uint64_t> released{0};             // with kGatedReplies: how much of the journal is on disk
  std::atomic<uint64_t> copy_waiters{0};         // blocked clients that want to know when more of it is
  std::atomic<uint64_t> evictions_pending{0};    // 1: an evicted value is still to be freed
  std::atomic<Millis> memory_exceeded_since{0};  // used memory is over maxmemory since then; 0: it is not
  std::atomic<uint32_t> long_commands{0};        // commands that have yielded and not ended
};

}  // namespace cinnabar::dispatch
