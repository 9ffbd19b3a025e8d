// Serving: what happens between an event and its replies.
//
// A chunk. Up to 16 ready connections are served together. Each is read once, into the scratch of the
// workspace if it has no earlier bytes to keep: most requests never need memory of their own. All complete
// requests of all of them are parsed into one batch, and the buckets and entries of their keys are fetched
// while the next ones are parsed, so that their cache misses overlap. Then the requests are executed,
// connection by connection and in order, and then each connection's replies leave with one system call.
//
// Fairness. At most 64 requests of a connection join the batch. The rest of a longer pipeline is parsed and
// executed when its connection is finished, for at most a millisecond; after that the connection stands among
// the runnable ones and others go first. Its socket is not read meanwhile: the kernel holds the sender back.
//
// A long command (docs/design/locks.md) calls Serve every half a millisecond, from the middle of its handler
// and with its shards held. Serve runs on top of it, in a workspace of its own, and serves in this order:
//   - the other connections of the interrupted batches. They would have come right behind the long command,
//     and their requests are parsed already;
//   - replies that wait for the journal, which would otherwise wait for the whole long command;
//   - requests that were put off because another core held a lock just then (`try_again`);
//   - connections that were left for later, then the mailbox as far as it takes no lock;
//   - new events, for at most a millisecond.
// A request that needs a shard of the long command is put off (kPostponed) until that command has ended, when
// every core is told (LongCommandEnded). Nothing in such a turn may wait for a lock or stop the world, so
// that connections are not closed (closing takes the shards of watched keys; see kClosing), and eviction,
// expiry, time-outs and the periodic work wait for the loop.
//
// Why the pointers of an interrupted turn stay good: a connection in its turn is closed by nobody, it has a
// part in one turn only (kInTurn), and `busy` keeps Serve away from the turn that is in the middle.
#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/args.h"
#include "net/socket.h"
#include "server/core.h"

namespace cinnabar::server {

using dispatch::Closing;
using dispatch::Dispatcher;
using dispatch::Session;
using protocol::RequestParser;
using State = ConnectionState;

namespace {

constexpr size_t kReadLargeBytes = 1024 * 1024;
constexpr uint32_t kRequestsMax = 64;
// A connection whose pipeline takes longer than this lets others go first.
constexpr Micros kTurnMicros = 1000;
// In a turn with many connections the journal is written that often.
constexpr Micros kKickMicros = 1000;

// Every connection that speaks HTTP is refused; one is logged in so much time.
constexpr Millis kHttpLogMillis = 60 * kMillisPerSecond;

bool SpeaksHttp(std::string_view command) {
  return dispatch::SameWord(command, "POST") || dispatch::SameWord(command, "HOST:");
}

}  // namespace

void Core::ProcessEvents(std::span<net::Event> events) {
  keyspace::WorldGate& gate = services_.keyspace.gate();
  handshakes_left_ = services_.settings.network.max_new_tls_connections_per_cycle;
  while (!events.empty()) {
    const size_t count = std::min(events.size(), Workspace::kTurnsMax);
    kicks_.more_chunks = count < events.size();
    ProcessChunk(events.first(count));
    events = events.subspan(count);
    if (!events.empty()) {
      // Another core that wants to stop the world can do so here.
      gate.Leave(index_);
      gate.Enter(index_);
      dispatcher_.UpdateTime();
      // Bytes that are written early are safe by the end of the turn, but each write is a system call.
      if (dispatcher_.clock().Now() - kicks_.last > dispatcher_.clock().ToTicks(kKickMicros * kNanosPerMicro))
        KickJournal();
    }
  }
  if (!std::exchange(kicks_.put_off, false)) return;
  KickJournal();
  FlushHeld();
}

bool Core::HandledByListener(void* token) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [token](const ListenerToken& each) { return each.token == token; });
  if (found == listeners_.end()) return false;
  if (found->handler != nullptr) found->handler->OnReady();
  return true;
}

void Core::ProcessChunk(std::span<net::Event> events) {
  space().Clear();
  for (size_t slot = 0; slot < events.size(); ++slot) {
    const net::Event& event = events[slot];
    if (event.token == this) continue;  // what a turn waited for
    if (!listeners_.empty() && HandledByListener(event.token)) continue;
    Connection& connection = *static_cast<Connection*>(event.token);
    if (connection.in_turn() || connection.state() == State::kClosing) [[unlikely]]
      continue;
    if ((event.ready & net::kWritable) != 0 && (connection.reported & net::kWritable) != 0 &&
        !Flush(connection))
      continue;
    if ((event.ready & net::kReadable) == 0) continue;
    if (connection.StandsIn(Place::kRunnable)) [[unlikely]]
      continue;  // its earlier requests come first, or a long pipeline would be gathered here as a whole
    if (!MayGoOn(connection)) [[unlikely]]
      continue;
    if (connection.state() == State::kOpen) [[likely]] {
      ReadInto(connection, slot);
    } else if ((event.ready & net::kHungUp) == 0 || connection.session.waits_for_others) {
      // It was postponed until other cores have caught up, which takes no time as a rule: only now is the
      // reactor told not to report it.
      StopReading(connection);
    } else if (connection.state() == State::kPostponed &&
               services_.pause.mode == dispatch::PauseMode::kNone) {
      // A request that has arrived is executed, whoever is in the way and wherever its client is by then.
      Ignore(connection);
    } else if (connection.state() != State::kSuspended) {
      // The client hung up while its request was blocked, or put off by CLIENT PAUSE: the request is dropped.
      Close(connection);
    }
  }
  RunTurns();
}

// A step of a handshake may take as long as a thousand requests. Those that are not done in this turn are
// reported again.
bool Core::MayGoOn(const Connection& connection) {
  return !connection.transport->awaits_peer() || handshakes_left_-- > 0;
}

// Why the layer of a connection could not go on. Plain sockets just end.
void Core::LogFailure(const Connection& connection) {
  const std::string_view problem = connection.transport->problem();
  if (problem.empty()) return;
  const dispatch::ConnectionFacts& facts = connection.session.facts;
  if (!connection.transport->awaits_peer()) return services_.log.Verbose("Reading from client: {}", problem);
  services_.log.Warning("Error accepting a client connection: {} (addr={} laddr={})", problem, facts.peer,
                        facts.local);
}

// Reads once and begins the connection's turn. False when the connection is gone.
bool Core::ReadInto(Connection& connection, size_t slot) {
  Session& session = connection.session;
  InputBuffer& kept = connection.input;
  const bool borrowed = kept.size() == 0 && kept.capacity() <= 2 * Workspace::kScratchBytes;
  std::span<char> room = space().ScratchOf(slot);
  if (!borrowed) {
    kept.MakeRoom(connection.parser.wanted_bytes());
    room = {kept.tail(), std::min(kept.room(), kReadLargeBytes)};
  }
  const net::Transfer got = connection.transport->Read(room);
  Want(connection, connection.wanted);
  if (got.outcome != net::Transfer::Outcome::kMoved) [[unlikely]] {
    if (got.outcome == net::Transfer::Outcome::kLater) return true;
    if (got.outcome == net::Transfer::Outcome::kFailed) LogFailure(connection);
    Close(connection);
    return false;
  }
  figures_.reads.Add();
  figures_.bytes_in.Add(got.bytes);
  session.facts.bytes_in += got.bytes;
  session.facts.read = catch_up_.CountRead();
  session.last_active = dispatcher_.core().now;
  if (borrowed) {
    BeginTurn(connection, std::string_view(room.data(), got.bytes), true);
    return true;
  }
  kept.Grown(got.bytes);
  if (kept.size() > static_cast<size_t>(services_.settings.clients.query_buffer_limit_bytes)) {
    services_.log.Warning("Closing client that reached max query buffer length: id={} addr={}", session.id,
                          session.facts.peer);
    Close(connection);
    return false;
  }
  BeginTurn(connection, kept.view(), false);
  return true;
}

// Parses the input. Without a complete request the turn is over at once.
void Core::BeginTurn(Connection& connection, std::string_view input, bool borrowed) {
  connection.Become(State::kInTurn);
  Turn& turn =
      space().turns.emplace_back(Turn{.connection = &connection, .input = input, .borrowed = borrowed});
  ParseTurn(turn);
  if (turn.end_request != turn.first_request || turn.failed) return;
  // Only a part of a request: nothing to execute, but CLIENT LIST has to show what the connection holds.
  KeepRest(turn);
  connection.Become(State::kOpen);
  space().turns.pop_back();
  ReadPending(connection);
  Weigh(connection);
}

// Collects complete requests of the turn's input into the batch, and starts fetching their keys.
void Core::ParseTurn(Turn& turn) {
  Connection& connection = *turn.connection;
  Session& session = connection.session;
  dispatch::Batch& batch = space().batch;
  const config::Settings& settings = services_.settings;
  const protocol::ParseLimits limits{.bulk_bytes_max = settings.clients.proto_max_bulk_len_bytes,
                                     .authenticated = session.authenticated};
  // The parser's limits depend on whether an AUTH succeeds: until then requests are taken one by one.
  const uint32_t requests_max = session.authenticated ? kRequestsMax : 1;
  turn.first_request = static_cast<uint32_t>(batch.requests.size());
  turn.more = false;
  size_t position = turn.consumed;
  while (position < turn.input.size()) {
    if (batch.requests.size() - turn.first_request == requests_max) {
      turn.more = true;
      break;
    }
    const auto first = static_cast<uint32_t>(batch.arguments.size());
    const auto outcome =
        connection.parser.Parse(turn.input.substr(position), limits, {batch.arguments, batch.storage});
    if (outcome == RequestParser::Outcome::kIncomplete) break;
    if (outcome == RequestParser::Outcome::kError) {
      turn.failed = true;
      turn.error = connection.parser.error();
      break;
    }
    const char* text = connection.parser.canonical() ? turn.input.data() + position : nullptr;
    position += connection.parser.consumed();
    if (batch.arguments.size() == first) {
      // An empty line is consumed with the request before it. The request behind it may be incomplete, and
      // the parser counts its progress from that request's first byte.
      (batch.requests.size() == turn.first_request ? turn.consumed : space().request_ends.back()) = position;
      continue;
    }
    dispatcher_.preparer().Prepare(batch, session, first, text);
    space().request_ends.push_back(position);
  }
  turn.end_request = static_cast<uint32_t>(batch.requests.size());
}

// Executes and finishes the turns of the workspace, all of whose requests are parsed.
void Core::RunTurns() {
  Workspace& space = workspaces_.current();
  for (const Turn& turn : space.turns) {
    dispatcher_.preparer().PrefetchEntries(space.batch, turn.connection->session, turn.first_request,
                                           turn.end_request);
  }
  dispatcher_.UpdateTime();
  if (client_memory_.limited()) [[unlikely]]
    LimitClients();
  ExecuteRest(space);
  FinishRest(space);
  space.turns.clear();
}

// Executes the turns that nobody has begun yet. A long command in one of them comes here again, through
// Serve, and does the others; the loop then finds none left.
void Core::ExecuteRest(Workspace& space) {
  while (space.next < space.turns.size()) {
    Turn& turn = space.turns[space.next++];
    turn.busy = true;
    ExecuteTurn(space, turn);
    turn.busy = false;
  }
  TellChanges();
}

// Finishes the turns that are not in the middle of something.
void Core::FinishRest(Workspace& space) {
  for (Turn& turn : space.turns) {
    if (turn.connection == nullptr || turn.busy) continue;
    turn.busy = true;
    FinishTurn(turn);
    turn.busy = false;
  }
}

// Until a request comes, work of others, or what the long command waits for. A socket that is ready and
// cannot be served before the long command ends (its own client sends on, or has gone) must not make this a
// loop without a pause: then only the awaited one is looked at, for a moment.
std::span<net::Event> Core::WaitInTurn(const dispatch::TurnWait& wait) {
  if (wait.at_most <= 0) return reactor_->Wait(0, space().EventRoom());
  constexpr Nanos kPause = kNanosPerMilli;
  const uint64_t reads = figures_.reads.Get();
  if (std::exchange(turn_reads_, reads) == reads && crowded_) {
    crowded_ = false;
    if (net::WaitReady(wait.fd, wait.interest, std::min(wait.at_most, kPause))) return {};
    return reactor_->Wait(0, space().EventRoom());
  }
  const bool watched =
      wait.fd >= 0 && reactor_->Add(wait.fd, wait.interest, static_cast<void*>(this)).has_value();
  Nanos at_most = wait.at_most;
  if (!waiting_.runnable.empty() || catch_up_.asked()) at_most = 0;
  if (!waiting_.try_again.empty() || (wait.fd >= 0 && !watched)) at_most = std::min(at_most, kPause);
  const Nanos millis = std::min<Nanos>((at_most + kNanosPerMilli - 1) / kNanosPerMilli, 1000);
  const std::span<net::Event> events = reactor_->Wait(static_cast<int>(millis), space().EventRoom());
  if (watched) reactor_->Remove(wait.fd);
  crowded_ = !events.empty();
  return events;
}

// Between two steps of a long command; the essay above says what comes in which order, and why.
void Core::Serve(const dispatch::TurnWait& wait) {
  workspaces_.Push();
  kicks_.more_chunks = false;
  handshakes_left_ = services_.settings.network.max_new_tls_connections_per_cycle;
  for (size_t level = 0; level < workspaces_.depth(); ++level) {
    ExecuteRest(workspaces_.at(level));
    FinishRest(workspaces_.at(level));
  }
  KickJournal();
  if (replies_are_held()) FlushHeld();
  for (uint64_t id : std::exchange(waiting_.try_again, {})) ResumeOne(id);
  RunRunnable();
  DrainMailbox();
  const uint64_t asked = catch_up_.asked_so_far();
  std::span<net::Event> events = WaitInTurn(wait);
  const Ticks limit = dispatcher_.clock().Now() + dispatcher_.clock().ToTicks(kTurnMicros * kNanosPerMicro);
  while (!events.empty() && dispatcher_.clock().Now() < limit) {
    const size_t count = std::min(events.size(), Workspace::kTurnsMax);
    ProcessChunk(events.first(count));
    events = events.subspan(count);
  }
  if (events.empty()) catch_up_.TurnEnded(asked);
  periodic_.TurnEnded(index_);
  workspaces_.Pop();
  dispatcher_.UpdateTime();
}

// A script has lent the gate. All shards are locked, and nobody but the script may touch the data set: what
// is done here is what a long command lets others do.
void Core::ServeBesideScript(std::span<net::Event> events) {
  workspaces_.Push();
  kicks_.more_chunks = false;
  handshakes_left_ = services_.settings.network.max_new_tls_connections_per_cycle;
  dispatcher_.UpdateTime();
  while (!events.empty()) {
    const size_t count = std::min(events.size(), Workspace::kTurnsMax);
    ProcessChunk(events.first(count));
    events = events.subspan(count);
  }
  KickJournal();
  if (replies_are_held()) FlushHeld();
  RunRunnable();
  DrainMailbox();
  workspaces_.Pop();
}

// A web page can make a browser send a POST to any address, whose body would be read as requests line by
// line.
void Core::RefuseHttp(Session& session) {
  session.closing = Closing::kNow;
  const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
  if (schedule_.http_logged != 0 && now - schedule_.http_logged < kHttpLogMillis) return;
  schedule_.http_logged = now;
  services_.log.Warning(
      "Possible SECURITY ATTACK: the client at {} speaks HTTP (a command is called POST or Host:), as a "
      "browser "
      "does that a web page sends here to write keys. The connection was closed before anything behind it "
      "ran.",
      session.facts.peer);
}

void Core::ExecuteTurn(Workspace& space, Turn& turn) {
  Connection& connection = *turn.connection;
  Session& session = connection.session;
  for (uint32_t i = turn.first_request; i < turn.end_request; ++i) {
    if (session.closing != Closing::kNo) break;
    WriteInvalidations();
    const dispatch::Request& request = space.batch.requests[i];
    if (request.command == nullptr && SpeaksHttp(space.batch.argv(request)[0])) [[unlikely]] {
      RefuseHttp(session);
      return;
    }
    const auto outcome = dispatcher_.Execute(session, space.batch, request);
    if (client_memory_.limited()) [[unlikely]]
      LimitAfter(connection);
    if (outcome == Dispatcher::Outcome::kPostponed) {
      Postpone(connection);
    } else {
      turn.consumed = space.request_ends[i];
    }
    if (outcome == Dispatcher::Outcome::kDone) continue;
    // The reply of a blocked session comes through the mailbox, and the mailbox is read after this turn.
    if (outcome == Dispatcher::Outcome::kSuspended) waiting_.suspended.push_back(session.id);
    connection.parser.Reset();
    turn.failed = turn.more = false;
    // Other cores answer soon, and most clients send nothing before they have the reply.
    if (outcome != Dispatcher::Outcome::kPostponed || !session.waits_for_others) StopReading(connection);
    return;
  }
  if (turn.end_request != turn.first_request && !turn.more && !turn.failed &&
      !connection.parser.in_request()) {
    turn.consumed = space.request_ends[turn.end_request - 1];
  }
  if (!turn.failed || session.closing != Closing::kNo) return;
  services_.log.Verbose("Protocol error ({}) from client: id={} addr={}", turn.error, session.id,
                        session.facts.peer);
  session.reply.Error("ERR " + turn.error);
  session.closing = Closing::kAfterReply;
}

// Goes on with a pipeline that is longer than one batch, then writes the replies. It uses the current
// workspace's batch for that, also for a turn of an interrupted one, whose batch is still in use.
void Core::FinishTurn(Turn& turn) {
  Connection& connection = *turn.connection;
  const Ticks began = dispatcher_.clock().Now();
  const Ticks limit = dispatcher_.clock().ToTicks(kTurnMicros * kNanosPerMicro);
  while (turn.more && connection.session.closing == Closing::kNo) {
    if (dispatcher_.clock().Now() - began > limit) break;
    space().ClearBatch();
    ParseTurn(turn);
    dispatcher_.preparer().PrefetchEntries(space().batch, connection.session, turn.first_request,
                                           turn.end_request);
    ExecuteTurn(space(), turn);
    TellChanges();
  }
  KeepRest(turn);
  connection.Become(connection.AfterTurn());
  DCHECK(connection.Consistent());
  if (turn.more && connection.session.closing == Closing::kNo) waiting_.runnable.Add(connection);
  if (!connection.session.postponed) connection.session.postponements = 0;
  ReadPending(connection);
  turn.connection = nullptr;  // it may be gone after the next line, while other turns go on
  Flush(connection);
}

// Moves the bytes that were not consumed to where the next turn finds them.
void Core::KeepRest(Turn& turn) {
  Connection& connection = *turn.connection;
  if (connection.doomed) return;
  if (turn.borrowed) {
    std::string_view rest = turn.input.substr(turn.consumed);
    if (!rest.empty()) connection.input.Append(rest, connection.parser.wanted_bytes());
  } else {
    connection.input.Consume(turn.consumed);
    if (connection.parser.in_request()) connection.input.MakeRoom(connection.parser.wanted_bytes());
  }
}

// Connections whose requests were left for later, in the connection's buffer or in its transport.
void Core::RunRunnable() {
  waiting_.runnable.TakeAll([this](uint64_t id) { return Find(id); },
                            [this](Connection& connection) {
                              if (connection.state() != State::kOpen) return;
                              space().Clear();
                              if (connection.transport->pending() != 0) [[unlikely]] {
                                if (!ReadInto(connection, 0)) return;
                              } else if (connection.input.size() != 0) {
                                BeginTurn(connection, connection.input.view(), false);
                              }
                              RunTurns();
                            });
}

}  // namespace cinnabar::server
