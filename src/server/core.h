// Core: one thread with its connections. It reads, parses, executes and replies in place (DESIGN §3, §4).
//
//   wait -> [ enter gate: read + parse + prefetch all | execute all | write all : leave gate ] x chunks
//        -> slices of suspended commands -> mailbox -> cron
//
// A command that takes long lets the core read, execute and write for its other clients in between (Serve):
// that is a turn within a turn, with a workspace of its own.
//
// Everything here is the core thread's own, except Post and the figures that others read with the world
// stopped. The parts: core.cc, the loop; core_turns.cc, what a turn does; core_connections.cc, how
// connections come, wait and go; core_replies.cc, how replies leave; client_eviction.cc, what clients weigh.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dispatch/dispatcher.h"
#include "net/reactor.h"
#include "net/socket.h"
#include "server/catch_up.h"
#include "server/connection.h"
#include "server/connection_queue.h"
#include "server/held_replies.h"
#include "server/invalidations.h"
#include "server/mailbox.h"
#include "server/turn_workspace.h"
#include "telemetry/counter.h"

namespace cinnabar::server {

class Core;
using Cores = std::vector<std::unique_ptr<Core>>;

// Work that a core does for the server besides serving its clients.
class CoreWork {
 public:
  virtual ~CoreWork() = default;
  // Called on each core in every turn, inside the gate: work in slices. Returns in how many milliseconds
  // there is more to do, at most kNoWork.
  static constexpr Millis kNoWork = 1000;
  virtual Millis Work(int core) = 0;
  // About every 1/hz second on each core, inside the gate.
  virtual void OnCron(int core) = 0;
  // At the end of each turn, inside the gate: what the turn has put into the journal may leave.
  virtual void TurnEnded(int core) = 0;
  // Whether nobody is connected and nothing else needs the periodic work to be frequent.
  virtual bool Quiet() const = 0;
};

// The clients of all cores, as one core needs them.
class CoreClients {
 public:
  virtual ~CoreClients() = default;
  virtual uint64_t NextClientId() = 0;
  // All cores; complete before any of them runs.
  virtual const Cores& cores() const = 0;
  // Takes the descriptor over.
  virtual std::unique_ptr<net::Transport> MakeTransport(const net::Accepted& accepted) = 0;
  virtual void OnClosed(dispatch::Session& session) = 0;
  // The session is about to be destroyed. Its core, inside the gate, no shard held and no command in the
  // middle.
  virtual void OnGone(dispatch::Session& session) = 0;
  // Disconnects the largest clients until all of them together are within their limit. REQUIRES: inside a
  // batch, no shard held.
  virtual void EvictClients(int core) = 0;
  // Disconnects the client at once; its core forgets it soon. On its core, or with the world stopped.
  virtual void Dismiss(dispatch::Session& session) = 0;
  // A long command of this core has ended: requests that were put off for it may be tried, on every core.
  virtual void OnLongCommandEnded() = 0;
};

// Hears that a descriptor can be read that is no client's: a listener's, or the one of signals.
class ReadyHandler {
 public:
  virtual ~ReadyHandler() = default;
  virtual void OnReady() = 0;
};

// Totals of one core; any thread may read them.
struct CoreFigures {
  telemetry::Counter bytes_in;
  telemetry::Counter bytes_out;
  telemetry::Counter reads;
  telemetry::Counter writes;
  // Turns of the loop, and what they took without the wait for events. The maxima are of one turn.
  telemetry::Counter turns;
  telemetry::Counter turn_ticks;
  telemetry::Counter turn_ticks_max;
  telemetry::Counter turn_commands_max;
  telemetry::Counter journal_ticks;
  telemetry::Counter cron_ticks;

  // With the world stopped.
  void Reset();
};

// Size: what other threads and the server's parts ask of a core, each by a function of its own.
class Core final : private dispatch::Bystanders {
 public:
  Core(CoreWork& periodic, CoreClients& clients, dispatch::Services& services, ClientMemory& client_memory,
       int index, uint64_t seed, std::unique_ptr<net::Reactor> reactor);
  ~Core() override;

  // Runs until Stop. On the thread of the core.
  void Run();
  // Any thread.
  void Stop();
  // Any thread: work for this core's thread; see Mailbox for the difference.
  using Handled = Mailbox::Handled;
  void Post(std::function<void()> work);
  void PostBetween(std::function<Handled()> work);

  // The handler must outlive its place here. On the thread of the core, or before it runs.
  Status AddListener(int fd, ReadyHandler& handler);
  void RemoveListener(int fd, ReadyHandler& handler);
  // From now on the handler hears of these events (net::Interest bits) instead of kReadable.
  void WatchListener(int fd, ReadyHandler& handler, uint32_t events) {
    reactor_->Change(fd, events, &handler);
  }
  // Takes an accepted connection over. With a farewell it is not served: it gets these bytes as soon as it
  // can take them, and is closed. Core thread.
  void Adopt(net::Accepted accepted, std::string_view farewell = {});

  dispatch::Dispatcher& dispatcher() { return dispatcher_; }
  CoreFigures& figures() { return figures_; }
  size_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }
  size_t postponed_count() const { return waiting_.postponed; }
  // With the world stopped, or on the core's own thread.
  template <typename Visit>
  void ForEachConnection(Visit&& visit) {
    for (auto& [id, connection] : connections_) visit(*connection);
  }
  Connection* Find(uint64_t id);
  // Looks at a session again: sends its output, closes it, or takes up its requests after a pause.
  void Attend(uint64_t id);
  // Looks at the session once the mailbox is drained, so that many messages leave together. Work of the
  // mailbox only.
  void AttendSoon(Connection& connection) { waiting_.attended.Add(connection); }
  // Brings the facts of all sessions up to date. With the world stopped.
  void RefreshFacts();
  // The limit of the clients' memory has changed. With the world stopped.
  void WeighAll();
  // Frees the buffers of a dismissed connection, except those that its core is working with. `caller` is the
  // core that has stopped the world.
  void Discard(uint64_t id, int caller);
  // Somebody else closes the session: its client sees the end now, and it counts no more. The connection goes
  // when the core attends to it. With the world stopped, or on this core.
  void Doom(uint64_t id);
  // Brings the reply of a blocked command to its session.
  void Resume(const dispatch::BlockedCall& call);
  // Sends the replies that waited for the disk, as far as it has come.
  void FlushHeld();
  // Any thread. False right after Durability::released was raised: FlushHeld has nothing to do.
  bool holds_replies() const { return held_.any(); }
  // The session may go on, if it is postponed.
  void ResumeOne(uint64_t id);
  // All sessions that wait for the end of a pause or of a long command.
  void ResumePostponed();
  CatchUp& catch_up() { return catch_up_; }
  // Any thread: what clients of this core are to be told of changed keys. `from`: the core that calls, or -1.
  void TakeInvalidation(dispatch::Invalidation letter, int from);
  // The core's own thread, between two commands.
  void WriteInvalidations() {
    if (invalidations_.any()) [[unlikely]]
      invalidations_.Write(*this);
  }
  // Whether a command of the connection has begun and not ended, and gives others a turn.
  bool InTheMiddle(const Connection& connection);

 private:
  // Connections that are taken up later, and why.
  struct Waiting {
    ConnectionQueue runnable{Place::kRunnable};
    ConnectionQueue attended{Place::kAttended};
    std::vector<uint64_t> suspended;  // in kSuspended, or about to be
    std::vector<uint64_t> closing;    // in kClosing
    std::vector<uint64_t> try_again;  // postponed for a lock that was taken just then; some may be gone
    size_t postponed = 0;             // sessions that are
  };
  // A listener that was removed stays to the end of the turn: events for it may be on their way.
  struct ListenerToken {
    void* token;
    ReadyHandler* handler;  // null: removed
  };
  // When the append-only file is written, which costs a system call each time.
  struct JournalKicks {
    Ticks last = 0;
    bool more_chunks = false;  // connections that are ready are still to be served in this turn
    bool put_off = false;      // to the end of ProcessEvents; replies are held until then
  };
  struct Schedule {
    Millis next_work = 0;  // in so many milliseconds from the end of the turn
    Millis last_cron = 0;
    Millis next_cron = 0;
    Millis http_logged = 0;  // a refused client that spoke HTTP was logged then
  };

  // Bystanders:
  void Serve(const dispatch::TurnWait& wait) override;
  bool OthersCaughtUp(dispatch::Session& session) override { return catch_up_.Reached(session); }
  void LongCommandEnded() override { clients_.OnLongCommandEnded(); }

  // The loop; see core.cc.
  int WaitMillis();
  Millis CronIntervalMillis();
  void ServeBesideScript(std::span<net::Event> events);
  void CountTurn(Ticks began, uint64_t commands_before);
  void StepContinuations();
  void DrainMailbox();
  void TellChanges();
  void Cron();

  // Turns; see core_turns.cc.
  void ProcessEvents(std::span<net::Event> events);
  void ProcessChunk(std::span<net::Event> events);
  bool HandledByListener(void* token);
  bool MayGoOn(const Connection& connection);
  bool ReadInto(Connection& connection, size_t slot);
  void LogFailure(const Connection& connection);
  void BeginTurn(Connection& connection, std::string_view input, bool borrowed);
  void ParseTurn(Turn& turn);
  void RunTurns();
  void ExecuteRest(Workspace& space);
  void ExecuteTurn(Workspace& space, Turn& turn);
  void FinishRest(Workspace& space);
  void FinishTurn(Turn& turn);
  void KeepRest(Turn& turn);
  void RunRunnable();
  std::span<net::Event> WaitInTurn(const dispatch::TurnWait& wait);
  void RefuseHttp(dispatch::Session& session);
  Workspace& space() { return workspaces_.current(); }

  // Connections; see core_connections.cc.
  void Postpone(Connection& connection);
  void Reopen(Connection& connection);
  void ReadPending(Connection& connection);
  // The events that the connection waits for from now on: net::Interest bits.
  void Want(Connection& connection, uint32_t wanted) {
    connection.wanted = wanted;
    if (connection.transport->Interest(wanted) != connection.reported) [[unlikely]]
      Report(connection);
  }
  void Report(Connection& connection);
  void StopReading(Connection& connection) {
    Want(connection, connection.wanted & ~uint32_t{net::kReadable});
  }
  void StartReading(Connection& connection) { Want(connection, connection.wanted | net::kReadable); }
  // The reactor tells nothing of it before something else is wanted than now.
  void Ignore(Connection& connection);
  void Close(Connection& connection);
  void GiveUpShared(Connection& connection);
  void CloseDelayed();
  void CronConnection(Connection& connection, Millis now);
  void ShrinkInput(Connection& connection, Millis now);
  void FitReplyBuffer(Connection& connection, Millis now);

  // Replies; see core_replies.cc.
  // Sends as much as can be sent now. The connection may be gone afterwards: false.
  bool Flush(Connection& connection);
  bool WriteSome(Connection& connection);
  bool WriteFeed(Connection& connection);
  bool SendUnsent(Connection& connection);
  bool HoldReplies(Connection& connection);
  bool GiveUpWaiting(Connection& connection, Millis now);
  void KickJournal();
  bool OverOutputLimits(Connection& connection);
  bool CheckOutputLimits(Connection& connection);
  bool replies_are_held() const {
    return (services_.alarms.load(std::memory_order_relaxed) & dispatch::Alarm::kHoldReplies) != 0;
  }

  // Weights; see client_eviction.cc.
  void Weigh(Connection& connection);
  void Unweigh(Connection& connection);
  void LimitClients();
  void LimitAfter(Connection& connection);
  static void NoteQueryMemory(Connection& connection) {
    connection.session.facts.query_memory = connection.input.capacity() + connection.parser.memory();
  }

  CoreWork& periodic_;
  CoreClients& clients_;
  dispatch::Services& services_;
  ClientMemory& client_memory_;
  const int index_;
  const std::unique_ptr<net::Reactor> reactor_;
  dispatch::Dispatcher dispatcher_;
  CatchUp catch_up_;
  Invalidations invalidations_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> connection_count_{0};  // without those that are doomed
  std::vector<ListenerToken> listeners_;
  int64_t handshakes_left_ = 0;  // steps that may still be done before other events are looked for
  Workspaces workspaces_;
  Waiting waiting_;
  HeldReplies held_;
  JournalKicks kicks_;
  Mailbox mailbox_;
  Schedule schedule_;
  // Of turns that wait: sockets were ready in the last one, and how many reads there had been before.
  bool crowded_ = false;
  uint64_t turn_reads_ = 0;
  CoreFigures figures_;
  std::atomic<bool> stop_{false};
};

}  // namespace cinnabar::server
