// The side of a process that follows another, and its roles.
#include "base/check.h"
#include "base/numbers.h"
#include "protocol/encode_command.h"
#include "simulator/process.h"

namespace cinnabar::simulator {

using replication::ReplicaLink;

// ---- roles ----

void Process::NewHistory(std::optional<Position> grown_from) {
  history_.Replace(ReplicationId::New(node_.random_));
  unstreamed_ = false;
  node_.watch_.OnRoot(node_, grown_from);
}

void Process::BecomePrimary() {
  if (primary_) return;
  Trace("becomes primary");
  const bool followed = followed_.has_value();
  const auto position = link_.position();
  link_.Stop();
  followed_.reset();
  primary_ = true;
  if (!data_valid_) {
    // The payload that should have replaced it did not come: it begins with nothing.
    data_ = DataSet();
    data_valid_ = true;
    NewHistory(std::nullopt);
    backlog_.Start(offset_);
  } else if (followed && !position) {
    NewHistory(std::nullopt);
    backlog_.Start(offset_);
  } else {
    const ReplicationId old = history_.id();
    history_.Shift(ReplicationId::New(node_.random_), offset_);
    node_.watch_.OnBranch(node_);
    if (node_.options_.bug == PlantedBug::kSecondIdWithoutEnd) {
      const ReplicationId fresh = history_.id();
      history_ = History(old);
      history_.Shift(fresh, INT64_MAX);
    }
  }
  select_anew_ = true;
  // Its replicas ask again and learn the new id.
  EndAllSessions();
  unused_since_ = now();
}

void Process::FollowNode(int primary) {
  if (followed_ == primary) return;
  Trace("follows node " + Int64ToString(primary));
  std::optional<Position> position;
  if (followed_) {
    link_.Stop();
    position = link_.position();
  } else if (data_valid_) {
    // Its own history so far; what no stream has carried is nobody's.
    if (unstreamed_) NewHistory(node_.position());
    position = node_.position();
  }
  primary_ = false;
  followed_ = primary;
  unanswered_.clear();
  EndAllSessions();
  if (!backlog_.active()) backlog_.Start(offset_);
  link_.Follow(position, now());
}

// ---- the connection ----

void Process::Connect() {
  upstream_ = node_.network_.Connect(node_.number_, *followed_);
}

void Process::OnConnected(ConnectionId connection) {
  if (connection == upstream_) link_.Connected(now());
}

void Process::OnBytes(ConnectionId connection, std::string_view bytes) {
  if (connection == upstream_) return PassToLink(bytes);
  const auto it = sessions_.find(connection);
  if (it == sessions_.end()) return;
  it->second->input += bytes;
  Serve(*it->second);
}

void Process::OnClosed(ConnectionId connection) {
  if (connection != upstream_) return EndSession(connection);
  upstream_ = 0;
  upstream_input_.clear();
  applier_.Reset();
  link_.Disconnected("closed by the other side", now());
}

void Process::PassToLink(std::string_view bytes) {
  upstream_input_ += bytes;
  const std::string input = std::exchange(upstream_input_, {});
  const size_t taken = link_.Received(input, now());
  // After the connection was dropped the rest means nothing.
  if (upstream_ != 0) upstream_input_ = input.substr(taken);
}

void Process::Send(std::string_view bytes) {
  std::string text(bytes);
  protocol::RequestParser parser;
  FlatVector<std::string_view> words;
  std::deque<std::string> storage;
  parser.Parse(bytes, {}, {words, storage});
  if (words.size() == 3 && words[1] == "ACK") {
    StreamOffset claimed = *ParseUInt64(words[2]);
    if (node_.options_.bug == PlantedBug::kAcknowledgesWhatItRead) {
      claimed = link_.read_offset();
      text.clear();
      const std::string read = Int64ToString(static_cast<int64_t>(claimed));
      protocol::EncodeCommand(std::vector<std::string_view>{"REPLCONF", "ACK", read}, text);
    }
    node_.watch_.OnClaimed(node_, {history_.id(), claimed});
  }
  node_.network_.Send(upstream_, node_.number_, std::move(text));
}

void Process::Close(std::string_view reason) {
  Trace("closes its link: " + std::string(reason));
  node_.network_.Close(upstream_, node_.number_);
  upstream_ = 0;
  upstream_input_.clear();
  applier_.Reset();
}

// ---- synchronisation ----

void Process::Continue(const ReplicationId& id) {
  ++node_.watch_.continued;
  if (id != history_.id()) {
    ++node_.watch_.shifts;
    history_.Shift(id, offset_);
    EndAllSessions();
  }
  Trace("continues");
  node_.watch_.OnState(node_);
}

void Process::BeginLoad(const Payload& payload) {
  payload_ = payload;
  incoming_.clear();
  ++load_;
  if (node_.options_.loads_beside_old_data) return;
  data_ = DataSet();
  data_valid_ = false;
  ++node_.life_;
  EndAllSessions();
}

void Process::EndLoad() {
  After(Jitter(1500), [this, load = load_] {
    if (load == load_) FinishLoad();
  });
}

Process::OldData Process::AbortLoad() {
  ++load_;
  if (data_valid_) return OldData::kKept;
  ++node_.beginnings_;
  return OldData::kLost;
}

void Process::FinishLoad() {
  ++load_;
  auto data = DataSet::Parse(incoming_);
  if (!data) node_.watch_.Broken("a payload is damaged");
  if (!data || node_.random_.OneIn(20)) {
    if (data_valid_) return link_.Loaded(ReplicaLink::Load::kFailedOldDataKept, now());
    ++node_.beginnings_;
    return link_.Loaded(ReplicaLink::Load::kFailedOldDataLost, now());
  }
  // Its own replicas have another data set than it now has.
  EndAllSessions();
  if (data_valid_) ++node_.life_;
  data_ = std::move(*data);
  data_valid_ = true;
  history_.Replace(payload_.position.id);
  offset_ = payload_.position.offset;
  unstreamed_ = false;
  backlog_.Start(offset_);
  ++node_.watch_.full_syncs;
  node_.watch_.OnState(node_);
  link_.Loaded(ReplicaLink::Load::kLoaded, now());
  Trace("has loaded");
  PassToLink({});
}

// ---- the stream ----

void Process::Apply(std::string_view bytes) {
  applier_.Feed(bytes);
  if (std::exchange(applying_, true)) return;
  After(node_.random_.OneIn(20) ? Jitter(400) : Jitter(5), [this] { ApplySome(); });
}

void Process::ApplySome() {
  applying_ = false;
  if (!link_.online()) return;
  const auto applied = applier_.ApplyTo(data_, 1 + static_cast<int>(node_.random_.Uniform(20)));
  if (applied.damaged) {
    node_.watch_.Broken(node_.Description() + ": what it is sent is no stream");
    return;
  }
  if (applied.bytes.empty()) return;
  Append(applied.bytes);
  link_.Applied(applied.bytes.size());
  node_.watch_.OnState(node_);
  if (node_.options_.acknowledges_batches || applied.ack_is_asked) link_.Acknowledge(now());
  FlushAll();
  // There may be more.
  if (!applier_.empty()) Apply({});
}

}  // namespace cinnabar::simulator
