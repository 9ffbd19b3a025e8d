#include "replication/replica_link.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/numbers.h"
#include "protocol/encode_command.h"

namespace cinnabar::replication {
namespace {

// Longer than any line of the handshake, however long a text an error has.
constexpr size_t kLineBytesMax = 4096;
constexpr Millis kNewlinePeriod = 1000;

std::string Text(StreamOffset offset) {
  return Int64ToString(static_cast<int64_t>(offset));
}

}  // namespace

std::string_view ReplicaLink::state_name() const {
  switch (state_) {
    case State::kIdle:
      return "none";
    case State::kConnect:
      return "connect";
    case State::kConnecting:
      return "connecting";
    case State::kPing:
    case State::kIntroduce:
    case State::kPsync:
      return "handshake";
    case State::kPayloadHeader:
    case State::kPayload:
    case State::kLoading:
      return "sync";
    case State::kOnline:
      return "connected";
  }
  return "";
}

void ReplicaLink::Enter(State state, Millis now) {
  state_ = state;
  heard_at_ = said_at_ = now;
}

// ---- begin and end ----

void ReplicaLink::Follow(std::optional<Position> position, Millis now, TakeOver take_over) {
  CHECK(state_ == State::kIdle);
  position_ = position;
  take_over_ = take_over;
  down_since_ = now;
  retry_at_ = now;
  Enter(State::kConnect, now);
}

void ReplicaLink::Stop() {
  if (state_ == State::kIdle) return;
  Leave(state_ == State::kConnect || cut_while_loading_ ? Connection::kGone : Connection::kDrop,
        "not a replica of it any more");
  take_over_ = TakeOver::kNo;
  state_ = State::kIdle;
}

void ReplicaLink::Leave(Connection connection, std::string_view reason) {
  if (state_ == State::kPayload || state_ == State::kLoading) {
    if (port_.AbortLoad() == ReplicaLinkPort::OldData::kLost) position_.reset();
  }
  // What a primary that knows only SYNC has sent belongs to no history that could be continued.
  if (state_ == State::kOnline && by_sync_) position_.reset();
  if (connection == Connection::kDrop) port_.Close(reason);
  line_.clear();
  questions_.clear();
  unapplied_ = 0;
  by_sync_ = false;
  cut_while_loading_ = false;
}

void ReplicaLink::AnswerTakeOver(bool accepted) {
  if (std::exchange(take_over_, TakeOver::kNo) == TakeOver::kDemand) port_.TakeOverAnswered(accepted);
}

void ReplicaLink::Retry(Connection connection, std::string_view reason, Millis now) {
  // Who was online tries again at once: the longer it waits the more of the stream it lacks.
  const bool was_online = state_ == State::kOnline;
  if (was_online) down_since_ = now;
  Leave(connection, reason);
  retry_at_ = was_online ? now : now + settings_.retry_delay;
  Enter(State::kConnect, now);
}

void ReplicaLink::Connected(Millis now) {
  CHECK(state_ == State::kConnecting);
  Enter(State::kPing, now);
  // Whether somebody who can answer is there at all: a connection alone may end in a stopped process.
  Ask({"PING"});
}

void ReplicaLink::Disconnected(std::string_view reason, Millis now) {
  if (state_ == State::kIdle || state_ == State::kConnect) return;
  if (state_ == State::kLoading) {
    // All of the payload is here: it is loaded, and then continued from.
    cut_while_loading_ = true;
    return;
  }
  Retry(Connection::kGone, reason, now);
}

// ---- the handshake ----

void ReplicaLink::Ask(std::initializer_list<std::string_view> words) {
  std::string text;
  protocol::EncodeCommand(std::span<const std::string_view>(words.begin(), words.size()), text);
  port_.Send(text);
}

void ReplicaLink::TakePong(std::string_view line, Millis now) {
  // A primary that wants a password first is alive as well: AUTH comes next.
  const bool alive = line.starts_with('+') || line.starts_with("-NOAUTH") || line.starts_with("-NOPERM") ||
                     line.starts_with("-ERR operation not permitted");
  if (!alive) return Retry(Connection::kDrop, "Error reply to PING from master: " + std::string(line), now);
  Enter(State::kIntroduce, now);
  Introduce();
}

// All at once; the answers come in the same order.
void ReplicaLink::Introduce() {
  questions_.clear();
  const auto ask = [this](Question question, std::initializer_list<std::string_view> words) {
    questions_.insert(questions_.begin(), question);
    Ask(words);
  };
  if (!settings_.password.empty()) {
    if (settings_.user.empty()) {
      ask(Question::kAuth, {"AUTH", settings_.password});
    } else {
      ask(Question::kAuth, {"AUTH", settings_.user, settings_.password});
    }
  }
  ask(Question::kPort, {"REPLCONF", "listening-port", Int64ToString(settings_.listening_port)});
  if (!settings_.announced_ip.empty()) {
    ask(Question::kIp, {"REPLCONF", "ip-address", settings_.announced_ip});
  }
  // eof: we find the end of a payload whose length is not known. psync2: we understand `+CONTINUE id`.
  ask(Question::kCapabilities, {"REPLCONF", "capa", "eof", "capa", "psync2"});
  if (!settings_.version.empty()) ask(Question::kVersion, {"REPLCONF", "version", settings_.version});
}

void ReplicaLink::TakeIntroduced(std::string_view line, Millis now) {
  const Question question = questions_.back();
  questions_.pop_back();
  // Old primaries do not know every REPLCONF; nothing depends on it. A wrong password ends the attempt.
  if (question == Question::kAuth && line.starts_with('-')) {
    return Retry(Connection::kDrop, "Unable to AUTH to MASTER: " + std::string(line), now);
  }
  if (!questions_.empty()) return;
  Enter(State::kPsync, now);
  AskToSync();
}

// PSYNC names the first byte that we lack, counted from 1; `? -1` asks for everything.
void ReplicaLink::AskToSync() {
  if (!position_) return Ask({"PSYNC", "?", "-1"});
  const std::string first_lacking = Text(position_->offset + 1);
  if (take_over_ == TakeOver::kDemand) {
    Ask({"PSYNC", position_->id.text(), first_lacking, "FAILOVER"});
  } else {
    Ask({"PSYNC", position_->id.text(), first_lacking});
  }
}

void ReplicaLink::TakePsyncAnswer(std::string_view line, Millis now) {
  if (line.starts_with("+CONTINUE")) return TakeContinue(line, now);
  if (line.starts_with("+FULLRESYNC")) return TakeFullResync(line, now);
  if (line.starts_with('-')) return TakePsyncError(line, now);
  Retry(Connection::kDrop, "Unexpected reply to PSYNC from master: " + std::string(line), now);
}

// `+CONTINUE`, or `+CONTINUE id` from primaries since 4.0.
void ReplicaLink::TakeContinue(std::string_view line, Millis now) {
  if (!position_) return Retry(Connection::kDrop, "master continues what we did not ask for", now);
  line.remove_prefix(std::string_view("+CONTINUE").size());
  if (!line.empty()) {
    const auto id = ReplicationId::Parse(line.substr(1));
    if (line[0] != ' ' || !id) return Retry(Connection::kDrop, "Malformed +CONTINUE from master", now);
    position_->id = *id;
  }
  AnswerTakeOver(true);
  port_.Continue(position_->id);
  GoOnline(now);
}

// `+FULLRESYNC id offset`: a payload follows, perhaps much later.
void ReplicaLink::TakeFullResync(std::string_view line, Millis now) {
  line.remove_prefix(std::string_view("+FULLRESYNC").size());
  constexpr size_t kIdEnd = 1 + ReplicationId::kDigits;
  if (line.size() > kIdEnd + 1 && line[0] == ' ' && line[kIdEnd] == ' ') {
    const auto id = ReplicationId::Parse(line.substr(1, ReplicationId::kDigits));
    const auto offset = ParseInt64(line.substr(kIdEnd + 1));
    if (id && offset && *offset >= 0) {
      incoming_ = {*id, static_cast<StreamOffset>(*offset)};
      AnswerTakeOver(true);
      return Enter(State::kPayloadHeader, now);
    }
  }
  Retry(Connection::kDrop, "Malformed +FULLRESYNC from master", now);
}

void ReplicaLink::TakePsyncError(std::string_view line, Millis now) {
  if (take_over_ == TakeOver::kDemand) {
    AnswerTakeOver(false);
    return Retry(Connection::kDrop, "The target of the failover did not take over", now);
  }
  // It will be able to later (it loads, or has lost its own primary), or refuses us for a reason that SYNC
  // would not get around. Anything else is a server that does not know PSYNC.
  if (!line.starts_with("-ERR")) {
    return Retry(Connection::kDrop, "MASTER is currently unable to PSYNC: " + std::string(line), now);
  }
  incoming_ = {};
  by_sync_ = true;
  Enter(State::kPayloadHeader, now);
  port_.Send("SYNC\r\n");
}

// ---- the payload ----

// `$LENGTH` or `$EOF:` and 40 bytes.
void ReplicaLink::TakePayloadHeader(std::string_view line, Millis now) {
  if (line.starts_with('-')) {
    return Retry(Connection::kDrop, "MASTER aborted replication with an error: " + std::string(line), now);
  }
  constexpr std::string_view kMarked = "$EOF:";
  if (line.starts_with(kMarked) && line.size() == kMarked.size() + PayloadReader::kMarkBytes) {
    payload_.BeginMarked(line.substr(kMarked.size()));
  } else {
    const auto size = line.starts_with('$') ? ParseInt64(line.substr(1)) : std::nullopt;
    if (!size || *size < 0) {
      return Retry(Connection::kDrop, "Bad protocol from MASTER, the first byte is not '$'", now);
    }
    payload_.BeginSized(static_cast<uint64_t>(*size));
  }
  Enter(State::kPayload, now);
  port_.BeginLoad({incoming_, payload_.size()});
}

size_t ReplicaLink::TakePayload(std::string_view bytes, Millis now) {
  const size_t taken = payload_.Feed(bytes, [this](std::string_view piece) { port_.LoadBytes(piece); });
  if (payload_.done()) {
    Enter(State::kLoading, now);
    port_.EndLoad();
  }
  return taken;
}

void ReplicaLink::Loaded(Load result, Millis now) {
  CHECK(state_ == State::kLoading || (state_ == State::kPayload && result != Load::kLoaded));
  const Connection connection = cut_while_loading_ ? Connection::kGone : Connection::kDrop;
  // There is nothing to abort any more.
  state_ = State::kPayloadHeader;
  if (result == Load::kLoaded) {
    if (by_sync_ && cut_while_loading_) {
      position_.reset();
    } else {
      position_ = incoming_;
    }
    if (!cut_while_loading_) return GoOnline(now);
    return Retry(connection, "the connection ended while we loaded", now);
  }
  if (result == Load::kFailedOldDataLost) position_.reset();
  Retry(connection, "Failed trying to load the MASTER synchronization DB", now);
}

// ---- the stream ----

void ReplicaLink::GoOnline(Millis now) {
  unapplied_ = 0;
  Enter(State::kOnline, now);
  // A primary that has sent a payload with a mark waits for this before it goes on.
  Acknowledge(now);
}

void ReplicaLink::Applied(uint64_t bytes) {
  CHECK(state_ == State::kOnline && bytes <= unapplied_);
  unapplied_ -= bytes;
  position_->offset += bytes;
}

void ReplicaLink::Acknowledge(Millis now) {
  if (state_ != State::kOnline || by_sync_) return;
  said_at_ = now;
  const std::string applied = Text(position_->offset);
  if (on_disk_) {
    Ask({"REPLCONF", "ACK", applied, "FACK", Text(*on_disk_)});
  } else {
    Ask({"REPLCONF", "ACK", applied});
  }
}

// ---- bytes and time ----

void ReplicaLink::TakeLine(std::string_view line, Millis now) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  // Empty lines say only that the primary is still at work for us.
  if (line.empty()) return;
  switch (state_) {
    case State::kPing:
      return TakePong(line, now);
    case State::kIntroduce:
      return TakeIntroduced(line, now);
    case State::kPsync:
      return TakePsyncAnswer(line, now);
    case State::kPayloadHeader:
      return TakePayloadHeader(line, now);
    default:
      CHECK(false);
  }
}

size_t ReplicaLink::TakeText(std::string_view bytes, Millis now) {
  const size_t end = bytes.find('\n');
  if (line_.size() + std::min(end, bytes.size()) > kLineBytesMax) {
    Retry(Connection::kDrop, "a line without an end from MASTER", now);
    return bytes.size();
  }
  if (end == std::string_view::npos) {
    line_ += bytes;
    return bytes.size();
  }
  line_ += bytes.substr(0, end);
  const std::string line = std::exchange(line_, {});
  TakeLine(line, now);
  return end + 1;
}

size_t ReplicaLink::Received(std::string_view bytes, Millis now) {
  size_t taken = 0;
  if (!bytes.empty() && state_ != State::kLoading) heard_at_ = now;
  while (taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    switch (state_) {
      case State::kPing:
      case State::kIntroduce:
      case State::kPsync:
      case State::kPayloadHeader:
        taken += TakeText(rest, now);
        break;
      case State::kPayload:
        taken += TakePayload(rest, now);
        break;
      case State::kLoading:
        return taken;
      case State::kOnline:
        unapplied_ += rest.size();
        port_.Apply(rest);
        return bytes.size();
      case State::kIdle:
      case State::kConnect:
      case State::kConnecting:
        return bytes.size();  // the connection was dropped
    }
  }
  return taken;
}

// So that a primary does not take us for dead.
void ReplicaLink::SayAlive(Millis now) {
  if (cut_while_loading_ || now - said_at_ < kNewlinePeriod) return;
  said_at_ = now;
  port_.Send("\n");
}

void ReplicaLink::Busy(Millis now) {
  if (state_ != State::kPayload) return;
  heard_at_ = now;
  SayAlive(now);
}

void ReplicaLink::OnTick(Millis now) {
  switch (state_) {
    case State::kIdle:
      return;
    case State::kConnect:
      if (now < retry_at_) return;
      Enter(State::kConnecting, now);
      return port_.Connect();
    case State::kLoading:
      return SayAlive(now);
    case State::kOnline:
      if (now - said_at_ >= settings_.ack_period) Acknowledge(now);
      break;
    default:
      break;
  }
  if (now - heard_at_ <= settings_.timeout) return;
  const bool handshake = state_ == State::kConnecting || state_ == State::kPing ||
                         state_ == State::kIntroduce || state_ == State::kPsync;
  if (handshake) return Retry(Connection::kDrop, "Timeout connecting to the MASTER...", now);
  if (state_ == State::kPayload || state_ == State::kPayloadHeader) {
    return Retry(Connection::kDrop, "Timeout receiving bulk data from MASTER...", now);
  }
  Retry(Connection::kDrop, "MASTER timeout: no data nor PING received...", now);
}

}  // namespace cinnabar::replication
