// The side of a process that others follow, and its writes.
#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/check.h"
#include "base/numbers.h"
#include "protocol/encode_command.h"
#include "simulator/process.h"

namespace cinnabar::simulator {
namespace {

using replication::PrimaryLink;
using replication::PrimarySide;
using replication::SnapshotSchedule;
using replication::Transfer;

// What a socket takes before it is full.
constexpr size_t kUnderwayMax = 32 * 1024;

std::string Encoded(const std::vector<std::string>& words) {
  std::vector<std::string_view> views(words.begin(), words.end());
  std::string text;
  protocol::EncodeCommand(views, text);
  return text;
}

}  // namespace

// ---- sessions ----

void Process::OnAccepted(ConnectionId connection, int peer) {
  sessions_.emplace(connection, new Session{.connection = connection,
                                            .peer = peer,
                                            .input = {},
                                            .output = {},
                                            .file = {},
                                            .link = PrimaryLink(connection, quorum_)});
}

void Process::Serve(Session& session) {
  const ConnectionId connection = session.connection;
  protocol::RequestParser parser;
  FlatVector<std::string_view> words;
  std::deque<std::string> storage;
  while (!session.input.empty()) {
    words.clear();
    storage.clear();
    parser.Reset();
    const auto outcome = parser.Parse(session.input, {}, {words, storage});
    if (outcome == protocol::RequestParser::Outcome::kIncomplete) break;
    if (outcome == protocol::RequestParser::Outcome::kError) return EndSession(connection);
    if (words.empty()) {
      session.link.OnNewline(now());
    } else {
      Execute(session, {words.data(), words.size()});
    }
    session.input.erase(0, parser.consumed());
  }
  Flush(session);
  AnswerWrites();
}

void Process::Execute(Session& session, std::span<const std::string_view> words) {
  if (SameWord(words[0], "PING")) {
    session.output += "+PONG\r\n";
  } else if (SameWord(words[0], "REPLCONF")) {
    session.link.OnReplconf(words, now());
  } else if (SameWord(words[0], "PSYNC")) {
    Synchronise(session, words);
  } else {
    node_.watch_.Broken("a replica has sent " + std::string(words[0]));
  }
}

void Process::Synchronise(Session& session, std::span<const std::string_view> words) {
  std::vector<std::string> copy(words.begin(), words.end());
  if (node_.options_.bug == PlantedBug::kBacklogOffByOne && copy[1] != "?") {
    copy[2] = Int64ToString(*ParseInt64(copy[2]) + 1);
  }
  const std::vector<std::string_view> asked(copy.begin(), copy.end());
  const bool can_serve = primary_ || (link_.online() && data_valid_);
  if (primary_) StartStream();
  const PrimarySide side{history_, backlog_,
                         primary_    ? PrimarySide::Upstream::kNone
                         : can_serve ? PrimarySide::Upstream::kUp
                                     : PrimarySide::Upstream::kDown};
  const auto answer = session.link.OnPsync(asked, side, now());
  Trace("PSYNC " + copy[1].substr(0, 6) + " " + copy[2] + " of node " + Int64ToString(session.peer) +
        ": answer " + Int64ToString(static_cast<int64_t>(answer)));
  for (const auto& [connection, other] : sessions_) {
    if (node_.options_.bug == PlantedBug::kCountsReplicasTwice) break;
    if (other.get() != &session && other->peer == session.peer) other->link.Doubt(now());
  }
  if (answer == PrimaryLink::Answer::kNeedsSnapshot) schedule_.Add(session.link, now());
}

void Process::OnWritable(ConnectionId connection) {
  const auto it = sessions_.find(connection);
  if (it != sessions_.end()) Flush(*it->second);
}

// Sends as much as the socket takes. False: there is nothing, or it is full.
bool Process::SendSome(Session& session) {
  session.output += session.link.TakeText();
  const size_t underway = node_.network_.Underway(session.connection, node_.number_);
  if (underway >= kUnderwayMax) return false;
  const size_t room = kUnderwayMax - underway;
  if (!session.output.empty()) {
    const size_t count = std::min(room, session.output.size());
    node_.network_.Send(session.connection, node_.number_, session.output.substr(0, count));
    session.output.erase(0, count);
    session.link.OnProgress(now());
    return true;
  }
  if (session.link.state() == PrimaryLink::State::kSendBulk) {
    const size_t count = std::min(room, session.file.size());
    node_.network_.Send(session.connection, node_.number_, session.file.substr(0, count));
    session.file.erase(0, count);
    session.link.OnProgress(now());
    if (session.file.empty()) session.link.BulkSent(now());
    return true;
  }
  replication::Backlog::Cursor* stream = session.link.stream();
  std::array<iovec, 8> vectors;
  const int filled = stream == nullptr ? 0 : stream->Gather(vectors.data(), static_cast<int>(vectors.size()));
  std::string bytes;
  for (int i = 0; i < filled && bytes.size() < room; ++i) {
    const auto& vector = vectors[static_cast<size_t>(i)];
    bytes.append(static_cast<const char*>(vector.iov_base), std::min(vector.iov_len, room - bytes.size()));
  }
  if (bytes.empty()) return false;
  stream->Advance(bytes.size());
  node_.network_.Send(session.connection, node_.number_, std::move(bytes));
  return true;
}

void Process::Flush(Session& session) {
  while (SendSome(session)) {
  }
}

void Process::FlushAll() {
  for (auto& [connection, session] : sessions_) Flush(*session);
}

void Process::EndSession(ConnectionId connection) {
  const auto it = sessions_.find(connection);
  if (it == sessions_.end()) return;
  node_.network_.Close(connection, node_.number_);
  const auto left = schedule_.Remove(it->second->link);
  if (left == SnapshotSchedule::Left::kNobodyWaits && schedule_.transfer() == Transfer::kStream) {
    snapshot_.reset();
    schedule_.Ended(SnapshotSchedule::Result::kFailed, 0, now());
  }
  sessions_.erase(it);
}

void Process::EndAllSessions() {
  while (!sessions_.empty()) EndSession(sessions_.begin()->first);
  schedule_.HistoryChanged();
}

Process::Session* Process::SessionOf(const PrimaryLink& link) {
  return sessions_.at(static_cast<ConnectionId>(link.session())).get();
}

// ---- snapshots ----

void Process::BeginSnapshotIfDue() {
  if (snapshot_ || !data_valid_ || !backlog_.active()) return;
  const auto order = schedule_.Due(
      now(), {.diskless = node_.options_.diskless, .diskless_delay = node_.options_.diskless_delay});
  if (!order) return;
  if (node_.random_.OneIn(30)) {
    for (PrimaryLink* link : schedule_.BeginFailed(*order)) {
      Flush(*SessionOf(*link));
      EndSession(static_cast<ConnectionId>(link->session()));
    }
    return;
  }
  const ReplicationId mark = ReplicationId::New(node_.random_);
  schedule_.Begun(*order, node_.position(), backlog_, mark.text(), now());
  snapshot_ = {order->transfer, data_.Serialize()};
  // The snapshot holds the database that the stream has selected; a primary need not, but may, select it
  // again.
  if (primary_ && node_.random_.OneIn(2)) select_anew_ = true;
  if (order->transfer == Transfer::kStream) {
    After(Jitter(50), [this] { GrowPayload(); });
  } else {
    After(Jitter(2000), [this] { EndSnapshot(); });
  }
}

// The child of a diskless snapshot writes a piece.
void Process::GrowPayload() {
  if (!snapshot_ || snapshot_->transfer != Transfer::kStream) return;
  const size_t count =
      std::min<size_t>(1 + node_.random_.Uniform(8000), snapshot_->payload.size() - snapshot_->sent);
  for (PrimaryLink* link : schedule_.receivers()) {
    Session* session = SessionOf(*link);
    session->output += session->link.TakeText();
    session->output.append(snapshot_->payload, snapshot_->sent, count);
    Flush(*session);
  }
  snapshot_->sent += count;
  if (snapshot_->sent == snapshot_->payload.size()) return EndSnapshot();
  After(Jitter(100), [this] { GrowPayload(); });
}

void Process::EndSnapshot() {
  if (!snapshot_ || !schedule_.making()) return;
  const bool fails = node_.random_.OneIn(20);
  const std::string payload = std::move(snapshot_->payload);
  snapshot_.reset();
  const auto told = schedule_.Ended(
      fails ? SnapshotSchedule::Result::kFailed : SnapshotSchedule::Result::kWritten, payload.size(), now());
  for (PrimaryLink* link : told.send_file) {
    Session* session = SessionOf(*link);
    session->file = payload;
    Flush(*session);
  }
  for (PrimaryLink* link : told.finished) Flush(*SessionOf(*link));
  for (PrimaryLink* link : told.close) EndSession(static_cast<ConnectionId>(link->session()));
}

// ---- the stream ----

// A primary keeps a stream while there is somebody to follow it. What was written without one belongs to no
// history that anybody else knows.
void Process::StartStream() {
  if (backlog_.active()) return;
  if (node_.options_.bug == PlantedBug::kKeepsIdWithoutStream) {
    unstreamed_ = false;
  } else if (unstreamed_) {
    NewHistory(node_.position());
  }
  backlog_.Start(offset_);
  select_anew_ = true;
}

void Process::StopStreamIfUnused() {
  if (!sessions_.empty() || !primary_) unused_since_ = now();
  if (node_.options_.backlog_ttl == 0 || now() - unused_since_ < node_.options_.backlog_ttl) return;
  if (backlog_.active()) Trace("gives the backlog up");
  backlog_.Stop();
}

void Process::TickServing() {
  const PrimaryLink::Settings settings{.timeout = node_.options_.timeout,
                                       .output_limit = {.hard_bytes = 256 * 1024}};
  std::vector<ConnectionId> close;
  for (auto& [connection, session] : sessions_) {
    if (session->link.OnTick(now(), settings) != PrimaryLink::Close::kNo) close.push_back(connection);
  }
  for (ConnectionId connection : close) EndSession(connection);
  BeginSnapshotIfDue();
  if (primary_ && backlog_.active() && !sessions_.empty() && !quiet_ &&
      pings_.Due(now(), node_.options_.ping_period)) {
    AppendAndApply(replication::kPingRecord);
  }
  // Replicas that do not acknowledge by themselves are asked when somebody waits for it.
  if (primary_ && !node_.options_.acknowledges_batches && !unanswered_.empty() && ack_asked_at_ < offset_ &&
      backlog_.active()) {
    AppendAndApply(replication::kGetAckRecord);
    ack_asked_at_ = offset_;
  }
  StopStreamIfUnused();
  if (backlog_.active()) backlog_.Trim();
  FlushAll();
}

void Process::Append(std::string_view bytes) {
  backlog_.Append(bytes);
  offset_ += bytes.size();
}

// A primary's own records. It is a new state behind each of them, and behind each transaction.
void Process::AppendAndApply(std::string_view bytes) {
  StreamApplier applier;
  applier.Feed(bytes);
  while (!applier.empty()) {
    const auto applied = applier.ApplyTo(data_, 1);
    CHECK(!applied.damaged && !applied.bytes.empty());
    Append(applied.bytes);
    node_.watch_.OnWritten(node_);
  }
}

void Process::Write(const std::vector<std::vector<std::string>>& commands) {
  if (!primary_) return;
  if (!backlog_.active()) {
    for (const auto& command : commands) {
      data_.ApplyWithoutStream(std::vector<std::string_view>(command.begin(), command.end()));
    }
    unstreamed_ = true;
    return;
  }
  std::string text;
  const bool moves = node_.options_.databases > 1 && node_.random_.OneIn(6);
  const int database = moves ? 1 - data_.database() : data_.database();
  if (database != data_.database() || std::exchange(select_anew_, false)) {
    text += Encoded({"SELECT", Int64ToString(database)});
  }
  if (commands.size() > 1) text += Encoded({"MULTI"});
  for (const auto& command : commands) text += Encoded(command);
  if (commands.size() > 1) text += Encoded({"EXEC"});
  AppendAndApply(text);
  unanswered_.push_back({node_.position(), {}});
  FlushAll();
  AnswerWrites();
}

// Answers what enough replicas have acknowledged.
void Process::AnswerWrites() {
  const StreamOffset reached = quorum_.Reached(node_.options_.acks_needed);
  while (!unanswered_.empty() && unanswered_.front().position.offset <= reached) {
    AnsweredWrite write = std::move(unanswered_.front());
    unanswered_.pop_front();
    if (node_.options_.acks_needed == 0) continue;
    for (const auto& [connection, session] : sessions_) {
      if (session->link.state() == PrimaryLink::State::kOnline &&
          session->link.acknowledged() >= write.position.offset) {
        write.holders.push_back(session->peer);
      }
    }
    node_.watch_.OnAnswered(node_, std::move(write));
  }
}

}  // namespace cinnabar::simulator
