// How the connections of a core come, wait and go.
//
// A connection is made for an accepted socket (Adopt) and belongs to this core until it goes. While it waits,
// its state says for what (ConnectionState), and exactly one event ends the wait:
//   kOpen        bytes arrive                                           (the reactor)
//   kPostponed   the pause or the long command ends                     (ResumePostponed, by mailbox)
//                other cores have executed what they had                (CatchUp, by mailbox)
//   kBlocked     the blocked command has its reply, or its time is up   (Resume, by mailbox)
//   kSuspended   the last slice of the suspended command is done        (StepContinuations)
//   kClosing     no command is in the middle                            (CloseDelayed)
// Attend is the common end of all of them: it closes the connection if somebody wants that, makes it runnable
// if requests of it have arrived meanwhile, and sends its replies and messages.
//
// Going has two steps when somebody else closes the connection (CLIENT KILL, eviction): with the world
// stopped the other core dooms it, after which it is neither shown nor counted, and its client sees the end
// at once. Its own core closes it when it reads its mailbox. Close is the only place where a connection is
// destroyed, and takes it out of every list. It does so between commands only; during a long command it notes
// the connection in `closing`.
//
// Events that the reactor has returned hold pointers to connections. They stay good because connections are
// destroyed only where no event is left to be looked at: while one is being served, by itself, or after all
// events of a turn (mailbox, cron, CloseDelayed, FlushHeld).
#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/access_control.h"
#include "dispatch/tracking.h"
#include "server/core.h"

namespace cinnabar::server {

using dispatch::Closing;
using dispatch::Dispatcher;
using dispatch::Session;
using State = ConnectionState;

namespace {

// A client that has been idle for so long keeps no more room in the query buffer than this.
constexpr Millis kInputIdleMillis = 2 * kMillisPerSecond;
constexpr size_t kInputRoomKept = 4096;

}  // namespace

void Core::Adopt(net::Accepted accepted, std::string_view farewell) {
  const uint64_t id = clients_.NextClientId();
  auto connection = std::make_unique<Connection>(id, OutputBuffer(OutputBuffer::kFixedBytesMax),
                                                 clients_.MakeTransport(accepted));
  Session& session = connection->session;
  session.facts.fd = accepted.fd;
  session.facts.core = index_;
  session.facts.unix_socket = accepted.unix_socket;
  session.facts.loopback = accepted.loopback;
  session.facts.tls = accepted.tls;
  session.facts.peer = std::move(accepted.peer);
  session.facts.local = std::move(accepted.local);
  session.created = session.last_active = dispatcher_.core().now;
  services_.access->Connect(session);
  connection->reply_peak = session.output.fixed_capacity();  // it keeps its size until replies have been seen
  connection->reply_peak_at = dispatcher_.core().now;
  session.reply.set_digits(dispatcher_.digits());
  if (Status added = reactor_->Add(accepted.fd, net::kReadable, connection.get()); !added) {
    services_.log.Warning("Error registering fd event for the new client: {}", added.error().message);
    return;
  }
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  Weigh(*connection);
  Connection& adopted = *connections_.emplace(id, std::move(connection)).first->second;
  if (farewell.empty()) return;
  session.output.Append(farewell);
  session.closing = Closing::kAfterReply;
  Flush(adopted);
}

Connection* Core::Find(uint64_t id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void Core::Attend(uint64_t id) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;
  Session& session = connection->session;
  DCHECK(!connection->in_turn());
  if (session.closing == Closing::kNow) return Close(*connection);
  DCHECK(connection->Consistent());
  if (connection->state() == State::kOpen &&
      (connection->input.size() > 0 || connection->transport->pending() != 0))
    waiting_.runnable.Add(*connection);
  Flush(*connection);
}

// Its request has its reply, or may be tried again: the connection takes requests as before.
void Core::Reopen(Connection& connection) {
  if (connection.state() == State::kClosing) return;
  connection.Become(State::kOpen);
  StartReading(connection);
  if (connection.ignored) [[unlikely]]
    Report(connection);
}

void Core::Resume(const dispatch::BlockedCall& call) {
  Connection* connection = Find(call.caller.id);
  if (connection == nullptr || connection->session.blocked.get() != &call) return;
  dispatcher_.blocked().Complete(connection->session);
  Reopen(*connection);
  AttendSoon(*connection);
}

// Its next request is put off until a pause or a long command has ended, or other cores have caught up.
void Core::Postpone(Connection& connection) {
  connection.session.postponed = true;
  ++waiting_.postponed;
  if (dispatcher_.long_commands().yielding() && dispatcher_.long_commands().missed_lock())
    waiting_.try_again.push_back(connection.session.id);
}

void Core::ResumeOne(uint64_t id) {
  Connection* connection = Find(id);
  if (connection == nullptr || !connection->session.postponed) return;
  connection->session.postponed = false;
  --waiting_.postponed;
  Reopen(*connection);
  Attend(id);
}

void Core::ResumePostponed() {
  if (waiting_.postponed == 0) return;
  std::vector<uint64_t> waiting;
  for (auto& [id, connection] : connections_) {
    if (connection->session.postponed) waiting.push_back(id);
  }
  for (uint64_t id : waiting) ResumeOne(id);
}

// No event tells of bytes that the transport has already taken from the socket.
void Core::ReadPending(Connection& connection) {
  if (connection.transport->pending() == 0) [[likely]]
    return;
  if (connection.state() == State::kOpen) waiting_.runnable.Add(connection);
}

void Core::Report(Connection& connection) {
  connection.reported = connection.transport->Interest(connection.wanted);
  const int fd = connection.transport->fd();
  if (!std::exchange(connection.ignored, false)) [[likely]]
    return reactor_->Change(fd, connection.reported, &connection);
  if (const Status added = reactor_->Add(fd, connection.reported, &connection); !added) {
    services_.log.Warning("{}", added.error().message);
    connection.session.closing = Closing::kNow;
  }
}

void Core::Ignore(Connection& connection) {
  StopReading(connection);
  reactor_->Remove(connection.transport->fd());
  connection.ignored = true;
}

void Core::Close(Connection& connection) {
  Session& session = connection.session;
  const bool takes_shards = !session.transaction.watched.empty() || session.blocked != nullptr;
  if (workspaces_.depth() > 0 || (takes_shards && dispatcher_.long_commands().locks_are_held_long())) {
    // Closing takes shards, and the command in the middle, or one that does not end, may hold them.
    session.closing = Closing::kNow;
    if (connection.state() == State::kClosing) return;
    connection.Become(State::kClosing);
    StopReading(connection);
    waiting_.closing.push_back(session.id);
    return;
  }
  DCHECK(!connection.in_turn());
  GiveUpShared(connection);
  dispatcher_.blocked().Abandon(session);
  if (session.postponed) --waiting_.postponed;
  std::erase(waiting_.suspended, session.id);
  held_.Forget(connection);
  clients_.OnGone(session);
  services_.tracking->Leave(session);
  reactor_->Remove(connection.transport->fd());
  Unweigh(connection);
  if (!connection.doomed) connection_count_.fetch_sub(1, std::memory_order_relaxed);
  connections_.erase(session.id);
}

// Gives up everything that other clients can see of it: subscriptions, watches, MONITOR. Calling it again has
// no effect. During a long command watches stay until Close, because they need shards.
void Core::GiveUpShared(Connection& connection) {
  Session& session = connection.session;
  clients_.OnClosed(session);
  if (workspaces_.depth() == 0) dispatcher_.Unwatch(session, Dispatcher::Held::kNo);
  if (std::exchange(session.monitor, false)) services_.monitors.fetch_sub(1);
}

void Core::CloseDelayed() {
  if (waiting_.closing.empty()) return;
  for (uint64_t id : std::exchange(waiting_.closing, {})) {
    if (Connection* connection = Find(id); connection != nullptr) Close(*connection);
  }
}

void Core::Doom(uint64_t id) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->doomed) return;
  connection->doomed = true;
  connection->transport->Shutdown();
  Unweigh(*connection);
  connection->session.closing = Closing::kNow;
  connection_count_.fetch_sub(1, std::memory_order_relaxed);
}

void Core::RefreshFacts() {
  // A connection without a buffer of its own reads into this core's scratch. While it is in use the scratch
  // is shown as the connection's room: clients expect the figures of a server with one buffer for each.
  const Millis recent = dispatcher_.core().now - 2 * kMillisPerSecond;
  for (auto& [id, connection] : connections_) {
    dispatch::ConnectionFacts& facts = connection->session.facts;
    const size_t held = connection->input.size();
    facts.query_bytes = held - std::min(connection->parser.parsed_bytes(), held);
    NoteQueryMemory(*connection);
    facts.query_free_bytes = connection->input.room();
    if (connection->input.capacity() == 0 && connection->session.last_active > recent)
      facts.query_free_bytes = Workspace::kScratchBytes;
    facts.partial_argument_bytes = connection->parser.partial_argument_bytes();
    facts.reply_peak_bytes = connection->reply_peak;
    facts.reading = (connection->wanted & net::kReadable) != 0;
    facts.writing = (connection->wanted & net::kWritable) != 0;
  }
  for (const Turn& turn : space().turns) {
    if (turn.connection == nullptr) continue;
    dispatch::ConnectionFacts& facts = turn.connection->session.facts;
    facts.query_bytes = turn.input.size() - turn.consumed;
    if (turn.borrowed) facts.query_free_bytes = Workspace::kScratchBytes - turn.input.size();
  }
}

void Core::CronConnection(Connection& connection, Millis now) {
  Session& session = connection.session;
  if (session.feed != nullptr) [[unlikely]] {
    if (const std::string reason = session.feed->Tick(); !reason.empty()) {
      services_.log.Warning("{}", reason);
      return Close(connection);
    }
    session.feed->MoveText();
    if ((session.feed->ready() || !session.output.empty()) && !Flush(connection)) return;
  }
  if (connection.StandsIn(Place::kHeld) && GiveUpWaiting(connection, now)) return;
  const int64_t timeout = services_.settings.network.timeout_seconds;
  if (timeout > 0 && now - session.last_active > timeout * kMillisPerSecond && !session.monitor &&
      !session.subscribed() && !session.replica() && connection.state() == State::kOpen) {
    services_.log.Verbose("Closing idle client");
    return Close(connection);
  }
  ShrinkInput(connection, now);
  FitReplyBuffer(connection, now);
  session.facts.reply_peak_bytes = connection.reply_peak;
  if (session.soft_limit_since != 0 && !CheckOutputLimits(connection)) return;
  Weigh(connection);
}

// Requests that fit into the scratch of a turn need no buffer of their own. A client that is idle in the
// middle of a large request keeps the bytes that have arrived, but not the room for the rest.
void Core::ShrinkInput(Connection& connection, Millis now) {
  InputBuffer& input = connection.input;
  if (input.capacity() == 0) return;
  const size_t peak = input.TakePeak();
  if (peak <= Workspace::kScratchBytes && input.size() == 0) return input.Release();
  if (now - connection.session.last_active > kInputIdleMillis && input.room() > kInputRoomKept)
    input.Shrink();
}

// The reply buffer follows the largest reply of the last seconds, between 1 and 16 kB.
void Core::FitReplyBuffer(Connection& connection, Millis now) {
  Session& session = connection.session;
  const Millis remember = services_.debug.reply_buffer_peak_reset;
  if (services_.debug.reply_buffer_resizing && session.output.empty()) {
    const size_t capacity = session.output.fixed_capacity();
    size_t wanted = 0;
    if (connection.reply_peak >= capacity && capacity < OutputBuffer::kFixedBytesMax) {
      wanted = std::min(OutputBuffer::kFixedBytesMax, capacity * 2);
    } else if (capacity > OutputBuffer::kFixedBytesMin && connection.reply_peak < capacity / 2) {
      wanted = std::max(OutputBuffer::kFixedBytesMin, connection.reply_peak + 1);
    }
    if (wanted != 0) session.output.ResizeFixed(wanted);
  }
  if (remember >= 0 && now - connection.reply_peak_at > remember) {
    connection.reply_peak = session.output.fixed_pending();
    connection.reply_peak_at = now;
  }
}

}  // namespace cinnabar::server
