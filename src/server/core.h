// Core: one thread with its connections. It reads, parses, executes and replies in place (DESIGN §3, §4).
//
//   wait -> [ enter gate: read + parse + prefetch all | execute all | write all : leave gate ] x chunks
//        -> slices of suspended commands -> mailbox -> cron
//
// A command that takes long lets the core read, execute and write for its other clients in between (Serve):
// that is a turn within a turn, with a workspace of its own.
//
// Everything here is the core thread's own, except Post and the figures that others read with the world
// stopped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/flat_vector.h"
#include "dispatch/dispatcher.h"
#include "net/reactor.h"
#include "net/socket.h"
#include "net/transport.h"
#include "server/catch_up.h"
#include "server/connection.h"
#include "telemetry/counter.h"

namespace cinnabar::server {

class Core;

// What a core needs of the server around it.
class CoreOwner {
 public:
  virtual ~CoreOwner() = default;
  virtual uint64_t NextClientId() = 0;
  // All cores; complete before any of them runs.
  virtual const std::vector<std::unique_ptr<Core>>& cores() const = 0;
  // Takes the descriptor over.
  virtual std::unique_ptr<net::Transport> MakeTransport(int fd) = 0;
  // Called on the core that owns the listeners.
  virtual void OnListenerReady(void* token) = 0;
  // Called on each core in every turn, inside the gate: work in slices. Returns in how many milliseconds
  // there is more to do, at most kNoWork.
  static constexpr Millis kNoWork = 1000;
  virtual Millis Work(int core) = 0;
  // About every 1/hz second on each core, inside the gate.
  virtual void OnCron(int core) = 0;
  // Whether nobody is connected and nothing else needs the periodic work to be frequent.
  virtual bool Quiet() const = 0;
  virtual void OnClosed(dispatch::Session& session) = 0;
  // Disconnects the largest clients until all of them together are within their limit. REQUIRES: inside a
  // batch, no shard held.
  virtual void EvictClients(int core) = 0;
  // Disconnects the client at once; its core forgets it soon. On its core, or with the world stopped.
  virtual void Dismiss(dispatch::Session& session) = 0;
  // What waited for a long command of this core may go on, on every core.
  virtual void OnLongCommandEnded() = 0;
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
};

class Core final : public dispatch::Bystanders {
 public:
  Core(CoreOwner& owner, dispatch::Services& services, ClientMemory& client_memory, int index, uint64_t seed,
       std::unique_ptr<net::Reactor> reactor);
  ~Core() override;

  // So many ready sockets are seen in one turn. If there are more, those that are seen stand in line again.
  static constexpr size_t kEventsMax = 256;

  // Runs until Stop. On the thread of the core.
  void Run();
  // Any thread.
  void Stop();
  // Done at the end of a turn, when no command is in the middle.
  void Post(std::function<void()> work);
  // Whether work of the mailbox is done; kLater: a connection that it needs is in the middle of a command.
  enum class Handled : uint8_t { kYes, kLater };
  // Any thread. Done between two steps of a long command as well, and then again while it says kLater, in the
  // order of the calls. REQUIRES: it takes no lock that a command may hold.
  void PostBetween(std::function<Handled()> work);

  // A listener whose readiness goes to the owner. `token` must not be a Connection.
  Status AddListener(int fd, void* token);
  void RemoveListener(int fd) { reactor_->Remove(fd); }
  // Takes an accepted connection over. Core thread.
  void Adopt(net::Accepted accepted);

  int index() const { return index_; }
  dispatch::Dispatcher& dispatcher() { return dispatcher_; }
  CoreFigures& figures() { return figures_; }
  // With the world stopped.
  void ResetFigures();
  size_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }
  // With the world stopped, or on the core's own thread.
  template <typename Visit>
  void ForEachConnection(Visit&& visit) {
    for (auto& [id, connection] : connections_) visit(*connection);
  }
  Connection* Find(uint64_t id);
  // Looks at a session again: writes what waits, closes it, or takes up its requests after a pause.
  void Attend(uint64_t id);
  // Looks at the session once the mailbox is drained, so that many messages leave together. Work of the
  // mailbox only.
  void AttendSoon(Connection& connection);
  // Brings the facts of all sessions up to date. With the world stopped.
  void RefreshFacts();
  // The limit of the clients' memory has changed. With the world stopped.
  void WeighAll();
  // Gives back what a dismissed connection holds, as far as nobody works with it. `caller` is the core that
  // has stopped the world.
  void Discard(uint64_t id, int caller);
  // Somebody else closes the session: its client hears of it now, and it counts no more. The connection goes
  // when the core attends to it. With the world stopped, or on this core.
  void Doom(uint64_t id);
  // Brings the reply of a blocked command to its session.
  void Resume(const dispatch::BlockedCall& call);
  // Sends the replies that waited for the disk, as far as it has come.
  void FlushHeld();
  // Any thread. Who raises Services::released and then finds that there are none need not call FlushHeld.
  bool holds_replies() const { return holds_replies_.load(); }
  // All sessions that wait for the end of a pause or of a long command.
  void ResumePostponed();
  // The session may go on, if it is postponed.
  void ResumeOne(uint64_t id);
  CatchUp& catch_up() { return catch_up_; }
  // Any thread. Whether everything that had reached the core's sockets when this was called has been read,
  // and what can be executed of it is executed.
  bool AtRest() const;

  // Bystanders:
  void Serve() override;
  bool OthersCaughtUp(dispatch::Session& session) override { return catch_up_.Reached(session); }
  void LongCommandEnded() override { owner_.OnLongCommandEnded(); }
  size_t postponed_count() const { return postponed_count_; }

 private:
  // One connection's part in a chunk.
  struct Turn {
    Connection* connection;
    std::string_view input;
    bool borrowed;  // input is the scratch of this turn, not the connection's buffer
    size_t consumed = 0;
    uint32_t first_request = 0;
    uint32_t end_request = 0;
    bool more = false;  // complete requests may be left in the input
    bool failed = false;
    std::string error;
    bool busy = false;  // in the middle of being executed or finished
  };
  static constexpr size_t kTurnsMax = 16;
  static constexpr size_t kScratchBytes = 16 * 1024;
  static constexpr uint32_t kRequestsMax = 64;

  // A connection whose replies wait for the disk.
  struct Held {
    Connection* connection;
    uint64_t gate;  // of its session, when it began to wait
  };
  // What a turn of the core needs: the connections that it serves together, and their requests.
  struct Workspace {
    std::unique_ptr<char[]> scratch{new char[kTurnsMax * kScratchBytes]};
    std::unique_ptr<net::Event[]> events{new net::Event[kEventsMax]};
    std::vector<Turn> turns;
    dispatch::Batch batch;
    FlatVector<size_t> request_ends;  // parallel to batch.requests: end of each in its turn's input
    size_t next = 0;                  // the first turn that has not been executed

    void Clear() {
      turns.clear();
      next = 0;
      ClearBatch();
    }
    void ClearBatch() {
      batch.Clear();
      request_ends.clear();
    }
  };

  // One of the two.
  struct Letter {
    std::function<void()> at_end;
    std::function<Handled()> between;
  };

  void ProcessEvents(std::span<net::Event> events);
  void ProcessChunk(std::span<net::Event> events);
  bool ReadInto(Connection& connection, size_t slot);
  void BeginTurn(Connection& connection, std::string_view input, bool borrowed);
  void ParseTurn(Turn& turn);
  void ExecuteTurn(Workspace& space, Turn& turn);
  void RefuseHttp(dispatch::Session& session);
  void ExecuteRest(Workspace& space);
  void FinishRest(Workspace& space);
  void Postpone(Connection& connection);
  void FinishTurn(Turn& turn);
  void RunTurns();
  void KeepRest(Turn& turn);
  // Asks the reactor for what the connection waits for from now on: net::Interest bits.
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
  void ReadPending(Connection& connection);
  void RunSoon(Connection& connection);
  void Reopen(Connection& connection);

  // Sends what can be sent now. The connection may be gone afterwards: false.
  bool Flush(Connection& connection);
  bool WriteSome(Connection& connection);
  bool SendUnsent(Connection& connection);
  // Whether the replies have to wait for the disk, where they tell of what is not safe yet.
  bool HoldReplies(Connection& connection);
  void ForgetHeld(Connection& connection);
  void KickJournal();
  bool OverOutputLimits(Connection& connection);
  bool CheckOutputLimits(Connection& connection);
  // See client_eviction.cc.
  void Weigh(Connection& connection);
  void Unweigh(Connection& connection);
  void LimitClients();
  void LimitAfter(Connection& connection);
  static void NoteQueryMemory(Connection& connection) {
    connection.session.facts.query_memory = connection.input.capacity() + connection.parser.memory();
  }
  bool gated() const {
    return (services_.alarms.load(std::memory_order_relaxed) & dispatch::Alarm::kHoldReplies) != 0;
  }
  void Close(Connection& connection);
  void LetGo(Connection& connection);
  void CloseDelayed();
  void RunRunnable();
  void StepContinuations();
  void PostLetter(Letter letter);
  void DrainMailbox();
  void Cron();
  void CountTurn(Ticks began, uint64_t commands_before);
  void ShrinkInput(Connection& connection, Millis now);
  void CronConnection(Connection& connection, Millis now);
  int WaitMillis();
  Millis CronIntervalMillis();

  CoreOwner& owner_;
  dispatch::Services& services_;
  ClientMemory& client_memory_;
  const int index_;
  std::unique_ptr<net::Reactor> reactor_;
  dispatch::Dispatcher dispatcher_;
  CatchUp catch_up_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> connection_count_{0};
  size_t postponed_count_ = 0;

  std::vector<void*> listeners_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;  // one for each turn within a turn
  size_t depth_ = 0;                                    // which one is in use
  Workspace* work_ = nullptr;
  std::vector<uint64_t> runnable_;
  std::vector<uint64_t> suspended_;
  std::vector<uint64_t> attended_soon_;
  std::vector<Letter> kept_letters_;  // taken out of the mailbox, and to be handled later
  std::vector<Held> held_;
  std::vector<Held> flushing_;         // of FlushHeld, while it is at it
  std::vector<uint64_t> try_again_;    // postponed for a lock that was taken just then
  std::vector<uint64_t> close_later_;  // in kClosing
  std::atomic<bool> holds_replies_{false};
  Ticks kicked_at_ = 0;
  bool more_chunks_ = false;   // of connections that are ready, in this turn
  bool kick_put_off_ = false;  // to the end of ProcessEvents; replies are held until then
  CoreFigures figures_;
  Millis http_logged_ = 0;
  Millis next_work_ = 0;  // in so many milliseconds from the end of the turn
  Millis last_cron_ = 0;
  Millis next_cron_ = 0;

  // False while what was read may not be executed yet. Cleared before anything is read.
  std::atomic<bool> at_rest_{false};
  std::mutex mailbox_mutex_;
  std::vector<Letter> mailbox_;
  std::atomic<bool> stop_{false};
};

}  // namespace cinnabar::server
