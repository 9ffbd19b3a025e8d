#include "server/core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/settings.h"
#include "dispatch/args.h"

namespace cinnabar::server {

using dispatch::Closing;
using dispatch::Dispatcher;
using dispatch::Session;
using protocol::RequestParser;
using State = ConnectionState;

namespace {

constexpr size_t kReadLargeBytes = 1024 * 1024;
// A connection whose pipeline takes longer than this lets others go first.
constexpr Micros kTurnMicros = 1000;
// In a turn with many connections the journal's bytes go to the disk that often.
constexpr Micros kKickMicros = 1000;

// How often the periodic work runs when there is nothing to do.
constexpr Millis kQuietCronMillis = 1000;

// Who has been idle for so long keeps no more room in the query buffer than this.
constexpr Millis kInputIdleMillis = 2 * kMillisPerSecond;
constexpr size_t kInputRoomKept = 4096;

// Connections that speak HTTP are refused at any rate, and logged that often.
constexpr Millis kHttpLogMillis = 60 * kMillisPerSecond;

bool SpeaksHttp(std::string_view command) {
  return dispatch::SameWord(command, "POST") || dispatch::SameWord(command, "HOST:");
}

}  // namespace

Core::Core(CoreOwner& owner, dispatch::Services& services, ClientMemory& client_memory, int index,
           uint64_t seed, std::unique_ptr<net::Reactor> reactor)
    : owner_(owner),
      services_(services),
      client_memory_(client_memory),
      index_(index),
      reactor_(std::move(reactor)),
      dispatcher_(services, index, seed),
      catch_up_(owner.cores(), index) {
  workspaces_.push_back(std::make_unique<Workspace>());
  work_ = workspaces_[0].get();
  dispatcher_.long_commands().SetBystanders(*this);
}

Core::~Core() = default;

void Core::Stop() {
  stop_.store(true, std::memory_order_release);
  reactor_->Wake();
}

void Core::Post(std::function<void()> work) {
  PostLetter({.at_end = std::move(work), .between = nullptr});
}

void Core::PostBetween(std::function<Handled()> work) {
  PostLetter({.at_end = nullptr, .between = std::move(work)});
}

void Core::PostLetter(Letter letter) {
  bool first;
  {
    std::lock_guard lock(mailbox_mutex_);
    first = mailbox_.empty();
    mailbox_.push_back(std::move(letter));
  }
  // Whoever came first has woken the core, and the core has not looked yet.
  if (first) reactor_->Wake();
}

Status Core::AddListener(int fd, void* token) {
  if (std::find(listeners_.begin(), listeners_.end(), token) == listeners_.end()) listeners_.push_back(token);
  return reactor_->Add(fd, net::kReadable, token);
}

int Core::WaitMillis() {
  if (!runnable_.empty() || !suspended_.empty() || catch_up_.asked() || dispatcher_.evictor().due()) return 0;
  Millis left = std::min(next_work_, next_cron_ - SystemMonotonicNanos() / kNanosPerMilli);
  // Outside the gate: others may be reading this core's clock.
  if (dispatcher_.blocked().NextTimeout() != keyspace::kNever)
    left = std::min(left, dispatcher_.blocked().NextTimeout() - SystemWallNanos() / kNanosPerMilli);
  return static_cast<int>(std::clamp<Millis>(left, 0, 1000));
}

// 1/hz second; up to a second while nobody is connected and no key here expires.
Millis Core::CronIntervalMillis() {
  const Millis usual = 1000 / std::max<int64_t>(services_.settings.general.hz, 1);
  if (!owner_.Quiet()) return usual;
  return std::clamp<Millis>(dispatcher_.expiry().NextExpiry() - dispatcher_.core().now, usual,
                            std::max(usual, kQuietCronMillis));
}

void Core::ResetFigures() {
  for (telemetry::Counter* counter :
       {&figures_.bytes_in, &figures_.bytes_out, &figures_.reads, &figures_.writes, &figures_.turns,
        &figures_.turn_ticks, &figures_.turn_ticks_max, &figures_.turn_commands_max, &figures_.journal_ticks,
        &figures_.cron_ticks}) {
    counter->Set(0);
  }
}

void Core::Run() {
  keyspace::WorldGate& gate = services_.keyspace.gate();
  while (!stop_.load(std::memory_order_acquire)) {
    const uint64_t asked = catch_up_.asked_so_far();
    at_rest_.store(runnable_.empty());
    std::span<net::Event> events = reactor_->Wait(WaitMillis(), {work_->events.get(), kEventsMax});
    at_rest_.store(false);
    gate.Enter(index_);
    const Ticks began = dispatcher_.clock().Now();
    const uint64_t commands_before = dispatcher_.telemetry().counters().commands.Get();
    dispatcher_.UpdateTime();
    ProcessEvents(events);
    RunRunnable();
    catch_up_.TurnEnded(asked);
    CloseDelayed();
    StepContinuations();
    if (dispatcher_.evictor().due()) dispatcher_.evictor().MakeRoom();
    next_work_ = owner_.Work(index_);
    if (dispatcher_.blocked().NextTimeout() != keyspace::kNever) {
      dispatcher_.UpdateTime();
      dispatcher_.blocked().TimeOut();
    }
    DrainMailbox();
    KickJournal();
    const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
    if (now >= next_cron_) {
      last_cron_ = now;
      const Ticks cron_began = dispatcher_.clock().Now();
      Cron();
      figures_.cron_ticks.Add(dispatcher_.clock().Now() - cron_began);
      KickJournal();
    }
    if (client_memory_.limited()) LimitClients();
    next_cron_ = last_cron_ + CronIntervalMillis();
    CountTurn(began, commands_before);
    gate.Leave(index_);
  }
}

// First the sockets: what is read behind their back shows in at_rest_.
bool Core::AtRest() const {
  return at_rest_.load() && !reactor_->Ready() && at_rest_.load();
}

void Core::CountTurn(Ticks began, uint64_t commands_before) {
  const Ticks spent = dispatcher_.clock().Now() - began;
  figures_.turns.Add();
  figures_.turn_ticks.Add(spent);
  if (spent > figures_.turn_ticks_max.Get()) figures_.turn_ticks_max.Set(spent);
  // In between the figures may have been set back.
  const uint64_t now = dispatcher_.telemetry().counters().commands.Get();
  const uint64_t commands = now >= commands_before ? now - commands_before : now;
  if (commands > figures_.turn_commands_max.Get()) figures_.turn_commands_max.Set(commands);
}

void Core::ProcessEvents(std::span<net::Event> events) {
  keyspace::WorldGate& gate = services_.keyspace.gate();
  while (!events.empty()) {
    const size_t count = std::min(events.size(), kTurnsMax);
    more_chunks_ = count < events.size();
    ProcessChunk(events.first(count));
    events = events.subspan(count);
    if (!events.empty()) {
      // Lets a closer in between two chunks.
      gate.Leave(index_);
      gate.Enter(index_);
      dispatcher_.UpdateTime();
      // What is on its way to the disk early enough is there when this turn ends; but each way costs.
      if (dispatcher_.clock().Now() - kicked_at_ > dispatcher_.clock().ToTicks(kKickMicros * kNanosPerMicro))
        KickJournal();
    }
  }
  if (!std::exchange(kick_put_off_, false)) return;
  KickJournal();
  FlushHeld();
}

void Core::ProcessChunk(std::span<net::Event> events) {
  work_->Clear();
  for (size_t slot = 0; slot < events.size(); ++slot) {
    const net::Event& event = events[slot];
    if (!listeners_.empty() &&
        std::find(listeners_.begin(), listeners_.end(), event.token) != listeners_.end()) {
      owner_.OnListenerReady(event.token);
      continue;
    }
    Connection& connection = *static_cast<Connection*>(event.token);
    if (connection.in_turn() || connection.state() == State::kClosing) [[unlikely]]
      continue;
    if ((event.ready & net::kWritable) != 0 && (connection.reported & net::kWritable) != 0 &&
        !Flush(connection))
      continue;
    if ((event.ready & net::kReadable) == 0) continue;
    if (connection.StandsIn(Place::kRunnable)) [[unlikely]]
      continue;  // what it has sent already comes first, or a long pipeline would be gathered here as a whole
    if (connection.state() == State::kOpen) [[likely]] {
      ReadInto(connection, slot);
    } else if ((event.ready & net::kHungUp) == 0 || connection.session.waits_for_others) {
      // It was postponed until other cores have caught up, which takes no time as a rule: only now is the
      // reactor told not to report it.
      StopReading(connection);
    } else if (connection.state() != State::kSuspended) {
      // The client hung up while it was held back or waited: what it asked for is not done any more.
      Close(connection);
    }
  }
  RunTurns();
}

// Reads once and begins the connection's turn. False when the connection is gone.
bool Core::ReadInto(Connection& connection, size_t slot) {
  Session& session = connection.session;
  InputBuffer& kept = connection.input;
  const bool borrowed = kept.size() == 0 && kept.capacity() <= 2 * kScratchBytes;
  char* target = work_->scratch.get() + slot * kScratchBytes;
  size_t room = kScratchBytes;
  if (!borrowed) {
    kept.MakeRoom(connection.parser.wanted_bytes());
    target = kept.tail();
    room = std::min(kept.room(), kReadLargeBytes);
  }
  const net::Transfer got = connection.transport->Read({target, room});
  Want(connection, connection.wanted);
  if (got.outcome != net::Transfer::Outcome::kMoved) [[unlikely]] {
    if (got.outcome == net::Transfer::Outcome::kLater) return true;
    Close(connection);
    return false;
  }
  figures_.reads.Add();
  figures_.bytes_in.Add(got.bytes);
  session.facts.bytes_in += got.bytes;
  session.facts.read = catch_up_.CountRead();
  session.last_active = dispatcher_.core().now;
  if (borrowed) {
    BeginTurn(connection, std::string_view(target, got.bytes), true);
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

void Core::BeginTurn(Connection& connection, std::string_view input, bool borrowed) {
  connection.Become(State::kInTurn);
  Turn& turn =
      work_->turns.emplace_back(Turn{.connection = &connection, .input = input, .borrowed = borrowed});
  ParseTurn(turn);
  if (turn.end_request != turn.first_request || turn.failed) return;
  // Only a part of a request: nothing to execute, and others shall see what the connection holds.
  KeepRest(turn);
  connection.Become(State::kOpen);
  work_->turns.pop_back();
  ReadPending(connection);
  Weigh(connection);
}

// What the transport has taken from the socket already is reported by nobody.
void Core::ReadPending(Connection& connection) {
  if (connection.transport->pending() == 0) [[likely]]
    return;
  if (connection.state() == State::kOpen) RunSoon(connection);
}

void Core::RunSoon(Connection& connection) {
  if (connection.Enter(Place::kRunnable)) runnable_.push_back(connection.session.id);
}

// Collects complete requests of the turn's input into the batch, and starts fetching what they will touch.
void Core::ParseTurn(Turn& turn) {
  Connection& connection = *turn.connection;
  Session& session = connection.session;
  dispatch::Batch& batch = work_->batch;
  const config::Settings& settings = services_.settings;
  const protocol::ParseLimits limits{.bulk_bytes_max = settings.clients.proto_max_bulk_len_bytes,
                                     .authenticated = session.authenticated};
  // The limits of what follows an AUTH depend on its outcome: a stranger's requests are taken one by one.
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
      // An empty line goes with what came before it: a request that begins behind it may not be whole yet,
      // and what the parser remembers of that one counts from its first byte.
      (batch.requests.size() == turn.first_request ? turn.consumed : work_->request_ends.back()) = position;
      continue;
    }
    dispatcher_.preparer().Prepare(batch, session, first, text);
    work_->request_ends.push_back(position);
  }
  turn.end_request = static_cast<uint32_t>(batch.requests.size());
}

void Core::RunTurns() {
  Workspace& space = *work_;
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

void Core::ExecuteRest(Workspace& space) {
  while (space.next < space.turns.size()) {
    Turn& turn = space.turns[space.next++];
    turn.busy = true;
    ExecuteTurn(space, turn);
    turn.busy = false;
  }
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

// Between two steps of a command that takes long. First comes what would have come right after it, then what
// has arrived meanwhile.
void Core::Serve() {
  if (++depth_ == workspaces_.size()) workspaces_.push_back(std::make_unique<Workspace>());
  Workspace* outer = std::exchange(work_, workspaces_[depth_].get());
  work_->Clear();
  more_chunks_ = false;
  for (size_t level = 0; level < depth_; ++level) {
    ExecuteRest(*workspaces_[level]);
    FinishRest(*workspaces_[level]);
  }
  KickJournal();
  if (gated()) FlushHeld();
  for (uint64_t id : std::exchange(try_again_, {})) ResumeOne(id);
  RunRunnable();
  DrainMailbox();
  const uint64_t asked = catch_up_.asked_so_far();
  std::span<net::Event> events = reactor_->Wait(0, {work_->events.get(), kEventsMax});
  const Ticks limit = dispatcher_.clock().Now() + dispatcher_.clock().ToTicks(kTurnMicros * kNanosPerMicro);
  while (!events.empty() && dispatcher_.clock().Now() < limit) {
    const size_t count = std::min(events.size(), kTurnsMax);
    ProcessChunk(events.first(count));
    events = events.subspan(count);
  }
  if (events.empty()) catch_up_.TurnEnded(asked);
  work_ = outer;
  --depth_;
  dispatcher_.UpdateTime();
}

// A web page can make a browser send a POST to any address, whose body would be read as requests line by
// line.
void Core::RefuseHttp(Session& session) {
  session.closing = Closing::kNow;
  const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
  if (http_logged_ != 0 && now - http_logged_ < kHttpLogMillis) return;
  http_logged_ = now;
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
    // A blocked session is resumed through the mailbox, but not before this turn is over.
    if (outcome == Dispatcher::Outcome::kSuspended) suspended_.push_back(session.id);
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

// Goes on with a pipeline that is longer than one batch, then writes the replies.
void Core::FinishTurn(Turn& turn) {
  Connection& connection = *turn.connection;
  const Ticks began = dispatcher_.clock().Now();
  const Ticks limit = dispatcher_.clock().ToTicks(kTurnMicros * kNanosPerMicro);
  while (turn.more && connection.session.closing == Closing::kNo) {
    if (dispatcher_.clock().Now() - began > limit) break;
    work_->ClearBatch();
    ParseTurn(turn);
    dispatcher_.preparer().PrefetchEntries(work_->batch, connection.session, turn.first_request,
                                           turn.end_request);
    ExecuteTurn(*work_, turn);
  }
  KeepRest(turn);
  connection.Become(connection.AfterTurn());
  DCHECK(connection.Consistent());
  if (turn.more && connection.session.closing == Closing::kNo) RunSoon(connection);
  if (!connection.session.postponed) connection.session.postponements = 0;
  ReadPending(connection);
  turn.connection = nullptr;  // it may be gone after the next line, while other turns go on
  Flush(connection);
}

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

void Core::Report(Connection& connection) {
  connection.reported = connection.transport->Interest(connection.wanted);
  reactor_->Change(connection.transport->fd(), connection.reported, &connection);
}

void Core::Close(Connection& connection) {
  Session& session = connection.session;
  if (depth_ > 0) {
    // What closing takes may be held by the command that is in the middle.
    session.closing = Closing::kNow;
    if (connection.state() == State::kClosing) return;
    connection.Become(State::kClosing);
    StopReading(connection);
    close_later_.push_back(session.id);
    return;
  }
  DCHECK(!connection.in_turn());
  LetGo(connection);
  dispatcher_.blocked().Abandon(session);
  if (session.postponed) --postponed_count_;
  std::erase(suspended_, session.id);
  ForgetHeld(connection);
  reactor_->Remove(connection.transport->fd());
  Unweigh(connection);
  if (!connection.doomed) connection_count_.fetch_sub(1, std::memory_order_relaxed);
  connections_.erase(session.id);
}

// Gives up what others can see of what it holds; again has no effect. In the middle of a long command watches
// stay until Close: they need shards.
void Core::LetGo(Connection& connection) {
  Session& session = connection.session;
  owner_.OnClosed(session);
  if (depth_ == 0) dispatcher_.Unwatch(session, Dispatcher::Held::kNo);
  if (std::exchange(session.monitor, false)) services_.monitors.fetch_sub(1);
}

void Core::CloseDelayed() {
  if (close_later_.empty()) return;
  for (uint64_t id : std::exchange(close_later_, {})) {
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
  // A connection without a buffer of its own reads into this core's scratch; it counts as the connection's
  // room as long as it is in use, which is what clients know from a server with one buffer for each
  // connection.
  const Millis recent = dispatcher_.core().now - 2 * kMillisPerSecond;
  for (auto& [id, connection] : connections_) {
    dispatch::ConnectionFacts& facts = connection->session.facts;
    const size_t held = connection->input.size();
    facts.query_bytes = held - std::min(connection->parser.parsed_bytes(), held);
    NoteQueryMemory(*connection);
    facts.query_free_bytes = connection->input.room();
    if (connection->input.capacity() == 0 && connection->session.last_active > recent)
      facts.query_free_bytes = kScratchBytes;
    facts.partial_argument_bytes = connection->parser.partial_argument_bytes();
    facts.reply_peak_bytes = connection->reply_peak;
    facts.reading = (connection->wanted & net::kReadable) != 0;
    facts.writing = (connection->wanted & net::kWritable) != 0;
  }
  for (const Turn& turn : work_->turns) {
    if (turn.connection == nullptr) continue;
    dispatch::ConnectionFacts& facts = turn.connection->session.facts;
    facts.query_bytes = turn.input.size() - turn.consumed;
    if (turn.borrowed) facts.query_free_bytes = kScratchBytes - turn.input.size();
  }
}

Connection* Core::Find(uint64_t id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void Core::Adopt(net::Accepted accepted) {
  const uint64_t id = owner_.NextClientId();
  auto connection = std::make_unique<Connection>(id, OutputBuffer(OutputBuffer::kFixedBytesMax),
                                                 owner_.MakeTransport(accepted.fd));
  Session& session = connection->session;
  session.facts.fd = accepted.fd;
  session.facts.core = index_;
  session.facts.unix_socket = accepted.unix_socket;
  session.facts.loopback = accepted.loopback;
  session.facts.peer = std::move(accepted.peer);
  session.facts.local = std::move(accepted.local);
  session.created = session.last_active = dispatcher_.core().now;
  session.authenticated = services_.settings.security.requirepass.empty();
  connection->reply_peak_at = dispatcher_.core().now;
  session.reply.set_digits(dispatcher_.digits());
  if (Status added = reactor_->Add(accepted.fd, net::kReadable, connection.get()); !added) {
    services_.log.Warning("Error registering fd event for the new client: {}", added.error().message);
    return;
  }
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  Weigh(*connection);
  connections_.emplace(id, std::move(connection));
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
    RunSoon(*connection);
  Flush(*connection);
}

// The request that it waited with has its reply, or may be tried again.
void Core::Reopen(Connection& connection) {
  if (connection.state() == State::kClosing) return;
  connection.Become(State::kOpen);
  StartReading(connection);
}

void Core::Resume(const dispatch::BlockedCall& call) {
  Connection* connection = Find(call.caller.id);
  if (connection == nullptr || connection->session.blocked.get() != &call) return;
  dispatcher_.blocked().Complete(connection->session);
  Reopen(*connection);
  AttendSoon(*connection);
}

void Core::AttendSoon(Connection& connection) {
  if (connection.Enter(Place::kAttended)) attended_soon_.push_back(connection.session.id);
}

void Core::Postpone(Connection& connection) {
  connection.session.postponed = true;
  ++postponed_count_;
  if (dispatcher_.long_commands().yielding() && dispatcher_.long_commands().missed_lock())
    try_again_.push_back(connection.session.id);
}

void Core::ResumeOne(uint64_t id) {
  Connection* connection = Find(id);
  if (connection == nullptr || !connection->session.postponed) return;
  connection->session.postponed = false;
  --postponed_count_;
  Reopen(*connection);
  Attend(id);
}

void Core::ResumePostponed() {
  if (postponed_count_ == 0) return;
  std::vector<uint64_t> waiting;
  for (auto& [id, connection] : connections_) {
    if (connection->session.postponed) waiting.push_back(id);
  }
  for (uint64_t id : waiting) ResumeOne(id);
}

// Connections whose buffered requests were left for later.
void Core::RunRunnable() {
  std::vector<uint64_t> ids = std::move(runnable_);
  runnable_.clear();
  for (uint64_t id : ids) {
    Connection* connection = Find(id);
    if (connection == nullptr) continue;
    connection->Leave(Place::kRunnable);
    if (connection->state() != State::kOpen) continue;
    work_->Clear();
    if (connection->transport->pending() != 0) [[unlikely]] {
      if (!ReadInto(*connection, 0)) continue;
    } else if (connection->input.size() != 0) {
      BeginTurn(*connection, connection->input.view(), false);
    }
    RunTurns();
  }
}

void Core::StepContinuations() {
  std::vector<uint64_t> ids = suspended_;
  for (uint64_t id : ids) {
    Connection* connection = Find(id);
    if (connection == nullptr || !dispatcher_.Step(connection->session)) continue;
    std::erase(suspended_, id);
    Reopen(*connection);
    Attend(id);
  }
}

// In the middle of a long command, what cannot be done there is kept, before all that comes later.
void Core::DrainMailbox() {
  std::vector<Letter> letters = std::exchange(kept_letters_, {});
  {
    std::lock_guard lock(mailbox_mutex_);
    if (letters.empty()) {
      letters.swap(mailbox_);
    } else {
      std::move(mailbox_.begin(), mailbox_.end(), std::back_inserter(letters));
      mailbox_.clear();
    }
  }
  for (Letter& letter : letters) {
    if (letter.between != nullptr) {
      if (letter.between() == Handled::kLater) kept_letters_.push_back(std::move(letter));
    } else if (depth_ > 0) {
      kept_letters_.push_back(std::move(letter));
    } else {
      letter.at_end();
    }
  }
  const std::vector<uint64_t> ids = std::exchange(attended_soon_, {});
  for (uint64_t id : ids) {
    if (Connection* connection = Find(id); connection != nullptr) connection->Leave(Place::kAttended);
    Attend(id);
  }
}

void Core::Cron() {
  dispatcher_.clock().Resync();
  dispatcher_.UpdateTime();
  owner_.OnCron(index_);
  catch_up_.Cron();
  if (services_.debug.pause_cron) return;
  const Millis now = dispatcher_.core().now;
  std::vector<Connection*> all;
  all.reserve(connections_.size());
  for (auto& [id, connection] : connections_) all.push_back(connection.get());
  for (Connection* connection : all) CronConnection(*connection, now);
}

// Requests that fit into the scratch of a turn need no buffer of their own; who is idle in the middle of a
// large one keeps what has arrived of it, and not the room for the rest.
void Core::ShrinkInput(Connection& connection, Millis now) {
  InputBuffer& input = connection.input;
  if (input.capacity() == 0) return;
  const size_t peak = input.TakePeak();
  if (peak <= kScratchBytes && input.size() == 0) return input.Release();
  if (now - connection.session.last_active > kInputIdleMillis && input.room() > kInputRoomKept)
    input.Shrink();
}

void Core::CronConnection(Connection& connection, Millis now) {
  Session& session = connection.session;
  const int64_t timeout = services_.settings.network.timeout_seconds;
  if (timeout > 0 && now - session.last_active > timeout * kMillisPerSecond && !session.monitor &&
      !session.subscribed() && connection.state() == State::kOpen) {
    services_.log.Verbose("Closing idle client");
    return Close(connection);
  }
  ShrinkInput(connection, now);
  // The reply buffer follows the largest reply of the last seconds, between 1 and 16 kB.
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
  session.facts.reply_peak_bytes = connection.reply_peak;
  if (session.soft_limit_since != 0 && !CheckOutputLimits(connection)) return;
  Weigh(connection);
}

}  // namespace cinnabar::server
