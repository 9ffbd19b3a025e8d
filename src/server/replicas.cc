#include "server/replicas.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/numbers.h"
#include "config/settings.h"

namespace cinnabar::server {

using dispatch::Closing;
using dispatch::Session;
using replication::PrimaryLink;
using replication::SnapshotSchedule;
using replication::StreamOffset;
using replication::Transfer;

namespace {

// A replica that leaves so much of a diskless snapshot unsent makes the child wait.
constexpr uint64_t kPayloadRoomBytes = 4 * 1024 * 1024;

// Blocks that are freed when a replica goes; the cron does the rest.
constexpr int kTrimmedForOne = 4096;

std::string AddressOf(const Session& session) {
  const std::string& peer = session.facts.peer;
  return peer.substr(0, peer.rfind(':'));
}

std::string AddressOf(ReplicaFeed& feed) {
  const std::string& announced = feed.link().traits().announced_ip;
  return announced.empty() ? AddressOf(feed.session()) : announced;
}

std::string NameOf(ReplicaFeed& feed) {
  return fmt::format("{}:{}", AddressOf(feed), feed.link().traits().listening_port);
}

}  // namespace

Replicas::Replicas(dispatch::Services& services, const Cores& cores, ServerDataFiles& files,
                   ReleaseGate& gate, uint64_t seed)
    : services_(services),
      cores_(cores),
      files_(files),
      gate_(gate),
      random_(seed),
      history_(NewId()),
      pipe_(cores, {.deliver = [this](const SharedBytes& bytes) { DeliverPayload(bytes); },
                    .room = [this] { return PayloadRoom(); }}),
      of_core_(std::make_unique<OfCore[]>(static_cast<size_t>(services.keyspace.gate().cores()))) {
  SettingsChanged();
}

// The sessions live longer; what they hold of the backlog does not.
Replicas::~Replicas() {
  while (!feeds_.empty()) {
    ReplicaFeed& feed = *feeds_.back();
    feeds_.pop_back();
    schedule_.Remove(feed.link());
    feed.session().feed.reset();
  }
}

void Replicas::SettingsChanged() {
  const config::Replication& settings = services_.settings.replication;
  backlog_.SetLimit(static_cast<uint64_t>(settings.repl_backlog_size_bytes));
  wanted_ = static_cast<size_t>(settings.min_replicas_to_acknowledge);
  // Without a stream nothing would be waited for.
  if (wanted_ > 0 && !backlog_.active()) StartStream();
  if (wanted_ > 0) gate_.OnReplicas(applied_.Reached(wanted_));
  gate_.WaitForReplicas(wanted_ > 0);
}

// ---- the history ----

// Replies wait for offsets of the journal; of another history they mean nothing.
void Replicas::SetOffset(StreamOffset offset) {
  services_.journal.SetOffset(offset);
  keyspace::Keyspace& keyspace = services_.keyspace;
  for (size_t shard = 0; shard < keyspace::Keyspace::kShards; ++shard) keyspace.set_journal_offset(shard, 0);
  services_.clients.ForEach([](Session& session) { session.hold_until = session.written = 0; });
  gate_.Restart();
  asked_for_ = 0;
  for (OfCore* each = of_core_.get(); each != of_core_.get() + cores_.size(); ++each) each->told = 0;
}

void Replicas::BeginAt(const replication::History& history, StreamOffset offset) {
  DisconnectAll("the data set is another one");
  history_ = history;
  if (backlog_.active()) services_.journal.RemoveSink(sink_);
  SetOffset(offset);
  backlog_.Start(offset);
  services_.journal.AddSink(sink_);
  alone_since_ = Now();
}

void Replicas::ContinueUnder(const replication::ReplicationId& id) {
  const StreamOffset offset = services_.journal.offset();
  if (!(id == history_.id())) {
    history_.Shift(id, offset);
    services_.log.Notice(
        "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
        history_.second_id().text(), offset + 1, id.text());
    DisconnectAll("the replication id has changed");
  }
  if (backlog_.active()) return;
  backlog_.Start(offset);
  services_.journal.AddSink(sink_);
  alone_since_ = Now();
}

void Replicas::BecomePrimary() {
  const StreamOffset offset = services_.journal.offset();
  DisconnectAll("the server has become a master");
  if (!backlog_.active()) return history_.Replace(NewId());
  history_.Shift(NewId(), offset);
  services_.log.Notice(
      "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
      history_.second_id().text(), offset + 1, history_.id().text());
  services_.journal.SelectAnew();
}

void Replicas::ChangeId() {
  history_.Replace(NewId());
  DisconnectAll("the replication id has changed");
}

// Somebody wants to follow, and there is no stream yet. What was changed before was in no stream: the id is
// new.
void Replicas::StartStream() {
  history_.Replace(NewId());
  backlog_.Start(services_.journal.offset());
  services_.journal.AddSink(sink_);
  services_.journal.SelectAnew();
  services_.log.Notice("Replication backlog created, my new replication IDs are '{}' and '{}'",
                       history_.id().text(), history_.second_id().text());
}

void Replicas::StopStream() {
  services_.log.Notice("Replication backlog freed after {} seconds without connected replicas.",
                       services_.settings.replication.repl_backlog_ttl_seconds);
  services_.journal.RemoveSink(sink_);
  backlog_.Stop();
  history_.Replace(NewId());
  alone_since_ = 0;
}

// ---- connections ----

ReplicaFeed& Replicas::FeedOf(Session& session) {
  if (session.feed == nullptr)
    session.feed = std::make_unique<ReplicaFeed>(session, services_.settings, applied_, on_disk_);
  return static_cast<ReplicaFeed&>(*session.feed);
}

void Replicas::Configure(Session& session, std::span<const std::string_view> argv) {
  ReplicaFeed& feed = FeedOf(session);
  const auto outcome = feed.link().OnReplconf(argv, Now());
  feed.MoveText();
  if (outcome != PrimaryLink::Replconf::kAcknowledged) return;
  if (const size_t wanted = wanted_.load(std::memory_order_relaxed); wanted > 0)
    gate_.OnReplicas(applied_.Reached(wanted));
  // Who begins to wait after this sees the acknowledgement by itself (BlockedCalls::Block).
  if (services_.durability.copy_waiters.fetch_add(0) == 0) return;
  for (auto& core : cores_) {
    core->Post([target = core.get()] { target->dispatcher().blocked().ServeCopyWaiters(); });
  }
}

void Replicas::LogAnswer(Session& session, std::span<const std::string_view> argv,
                         PrimaryLink::Answer answer) {
  ReplicaFeed& feed = FeedOf(session);
  const PrimaryLink& link = feed.link();
  if (answer == PrimaryLink::Answer::kContinues) {
    services_.log.Notice(
        "Partial resynchronization request from {} accepted. Sending {} bytes of backlog starting from "
        "offset {}.",
        NameOf(feed), link.pending_bytes(), argv[2]);
    return;
  }
  services_.log.Notice("Replica {} asks for synchronization", NameOf(feed));
  if (!link.asked_to_continue()) {
    services_.log.Notice("Full resync requested by replica {}", NameOf(feed));
  } else if (const auto offset = ParseInt64(argv[2]);
             !history_.CanContinue(argv[1], static_cast<StreamOffset>(*offset - 1))) {
    services_.log.Notice(
        "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{}', my "
        "replication IDs "
        "are '{}' and '{}')",
        argv[1].substr(0, replication::ReplicationId::kDigits), history_.id().text(),
        history_.second_id().text());
  } else {
    services_.log.Notice(
        "Unable to partial resync with replica {} for lack of backlog (Replica request was: {}).",
        NameOf(feed), *offset);
  }
}

bool Replicas::Synchronise(Session& session, std::span<const std::string_view> argv, Upstream upstream) {
  if (!backlog_.active()) StartStream();
  ReplicaFeed& feed = FeedOf(session);
  const replication::PrimarySide side{history_, backlog_, upstream};
  const auto answer =
      argv.size() > 1 ? feed.link().OnPsync(argv, side, Now()) : feed.link().OnSync(side, Now());
  switch (answer) {
    case PrimaryLink::Answer::kRefused:
      if (argv.size() > 2 && !ParseInt64(argv[2]))
        services_.log.Warning("Replica {} asks for synchronization but with a wrong offset", NameOf(feed));
      break;
    case PrimaryLink::Answer::kIgnored:
      break;
    case PrimaryLink::Answer::kTakeOver:
      return false;
    case PrimaryLink::Answer::kContinues:
      ++figures_.partial;
      LogAnswer(session, argv, answer);
      Register(feed);
      break;
    case PrimaryLink::Answer::kNeedsSnapshot:
      ++figures_.full;
      if (feed.link().asked_to_continue()) ++figures_.partial_refused;
      LogAnswer(session, argv, answer);
      Register(feed);
      schedule_.Add(feed.link(), Now());
      BeginIfDue();
      break;
  }
  feed.MoveText();
  return true;
}

void Replicas::Register(ReplicaFeed& feed) {
  const std::string name = NameOf(feed);
  for (ReplicaFeed* other : feeds_) {
    if (feed.link().traits().listening_port != 0 && NameOf(*other) == name) other->link().Doubt(Now());
  }
  feeds_.push_back(&feed);
  feed.session().reply_mode = dispatch::ReplyMode::kOff;
  feed.SetDrained([this] { cores_[0]->Post([this] { pipe_.Resume(); }); });
  OfCore& core = of_core_[static_cast<size_t>(feed.session().facts.core)];
  core.sessions.push_back(feed.session().id);
  core.count.store(core.sessions.size(), std::memory_order_relaxed);
  registered_.store(feeds_.size(), std::memory_order_relaxed);
  alone_since_ = 0;
  const int no_delay = services_.settings.replication.repl_disable_tcp_nodelay ? 0 : 1;
  setsockopt(feed.session().facts.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
}

// With the world stopped.
void Replicas::Forget(ReplicaFeed& feed) {
  const auto left = schedule_.Remove(feed.link());
  std::erase(feeds_, &feed);
  OfCore& core = of_core_[static_cast<size_t>(feed.session().facts.core)];
  std::erase(core.sessions, feed.session().id);
  core.count.store(core.sessions.size(), std::memory_order_relaxed);
  registered_.store(feeds_.size(), std::memory_order_relaxed);
  if (feeds_.empty()) alone_since_ = Now();
  if (left != SnapshotSchedule::Left::kNobodyWaits) return;
  if (schedule_.transfer() == Transfer::kStream) {
    services_.log.Warning("Diskless rdb transfer, last replica dropped, killing fork child.");
  } else if (services_.settings.persistence.save.empty()) {
    services_.log.Notice("Killing the child that saves for replicas: the last of them is gone.");
  } else {
    return;  // others want the file
  }
  files_.snapshots().Abandon();
}

void Replicas::OnGone(Session& session) {
  if (session.feed == nullptr) return;
  ReplicaFeed& feed = FeedOf(session);
  dispatch::Dispatcher& dispatcher = *services_.dispatchers[static_cast<size_t>(session.facts.core)];
  if (std::ranges::find(feeds_, &feed) != feeds_.end()) {
    services_.log.Warning("Connection with replica {} lost.", NameOf(feed));
    dispatcher.WithWorldStopped([&] { Forget(feed); });
  }
  session.feed.reset();
  if (backlog_.active()) backlog_.Trim(kTrimmedForOne);
}

// Nothing more is sent to it but what is in its session's output.
void Replicas::Drop(ReplicaFeed& feed, Closing how) {
  feed.MoveText();
  Forget(feed);
  Session& session = feed.session();
  session.closing = how;
  session.feed.reset();
  services_.clients.Wake(session);
}

void Replicas::DisconnectAll(std::string_view reason) {
  if (!feeds_.empty()) services_.log.Notice("Disconnecting all replicas: {}", reason);
  while (!feeds_.empty()) {
    ReplicaFeed& feed = *feeds_.back();
    // It sees the end now: the link of none counts as up while another data set is loaded.
    Core& core = *cores_[static_cast<size_t>(feed.session().facts.core)];
    if (Connection* connection = core.Find(feed.session().id)) connection->transport->Shutdown();
    Drop(feed, Closing::kNow);
  }
  schedule_.HistoryChanged();
}

ReplicaFeed& Replicas::FeedOfLink(PrimaryLink& link) const {
  const auto found = std::ranges::find_if(feeds_, [&](ReplicaFeed* feed) { return &feed->link() == &link; });
  CHECK(found != feeds_.end());
  return **found;
}

void Replicas::Wake(ReplicaFeed& feed) {
  feed.MoveText();
  services_.clients.Wake(feed.session());
}

// ---- snapshots ----

SnapshotSchedule::Settings Replicas::ScheduleSettings() const {
  const config::Replication& settings = services_.settings.replication;
  return {.diskless = settings.repl_diskless_sync,
          .diskless_delay = settings.repl_diskless_sync_delay_seconds * kMillisPerSecond,
          .diskless_replicas_max = settings.repl_diskless_sync_max_replicas};
}

void Replicas::BeginIfDue() {
  if (files_.child().running() || files_.loading() || InTransaction(services_)) return;
  const auto order = schedule_.Due(Now(), ScheduleSettings());
  if (!order) return;
  if (const Status begun = BeginSnapshot(*order); !begun) {
    services_.log.Warning("BGSAVE for replication failed: {}", begun.error().message);
    for (PrimaryLink* link : schedule_.BeginFailed(*order)) Drop(FeedOfLink(*link), Closing::kAfterReply);
    return;
  }
  const std::string mark(NewId().text());
  schedule_.Begun(*order, position(), backlog_, mark, Now());
  services_.journal.SelectAnew();
  for (PrimaryLink* link : schedule_.receivers()) Wake(FeedOfLink(*link));
}

Status Replicas::BeginSnapshot(const SnapshotSchedule::Order& order) {
  services_.log.Notice("Starting BGSAVE for SYNC with target: {}",
                       order.transfer == Transfer::kFile ? "disk" : "replicas sockets");
  if (order.transfer == Transfer::kStream) return BeginDiskless(order);
  return files_.snapshots().BeginForReplicas();
}

Status Replicas::BeginDiskless(const SnapshotSchedule::Order& order) {
  const int child_end = TRY(pipe_.Open());
  Status begun = files_.snapshots().BeginInto(child_end, order.filter.without_data);
  close(child_end);
  if (begun) begun = pipe_.Begin();
  if (!begun) pipe_.Close();
  return begun;
}

bool Replicas::PayloadRoom() const {
  return std::ranges::all_of(schedule_.receivers(), [this](PrimaryLink* link) {
    return FeedOfLink(*link).payload_pending() < kPayloadRoomBytes;
  });
}

void Replicas::DeliverPayload(const SharedBytes& bytes) {
  if (!schedule_.making()) return;
  services_.dispatchers[0]->WithWorldStopped([&] {
    for (PrimaryLink* link : schedule_.receivers()) {
      ReplicaFeed& feed = FeedOfLink(*link);
      feed.SendPayload(bytes);
      Wake(feed);
    }
  });
}

void Replicas::OnSnapshotEnded(bool written) {
  if (!schedule_.making()) return pipe_.Close();
  std::shared_ptr<SnapshotFile> file;
  if (schedule_.transfer() == Transfer::kFile && written) {
    file = SnapshotFile::Open(files_.snapshots().path());
    written = file != nullptr;
  }
  if (pipe_.open() && written) {
    pipe_.Drain();
    services_.log.Notice("Diskless rdb transfer, done reading from pipe, {} replicas still up.",
                         schedule_.receivers().size());
  }
  pipe_.Close();
  const auto result = written ? SnapshotSchedule::Result::kWritten : SnapshotSchedule::Result::kFailed;
  const auto told = schedule_.Ended(result, file == nullptr ? 0 : file->size(), Now());
  for (PrimaryLink* link : told.send_file) {
    ReplicaFeed& feed = FeedOfLink(*link);
    feed.SendFile(file);
    Wake(feed);
  }
  for (PrimaryLink* link : told.finished) {
    ReplicaFeed& feed = FeedOfLink(*link);
    services_.log.Notice(
        "Streamed replica with replica {} succeeded. Waiting for REPLCONF ACK to enable streaming",
        NameOf(feed));
    if (link->state() == PrimaryLink::State::kTransmitted) feed.session().closing = Closing::kAfterReply;
    Wake(feed);
  }
  for (PrimaryLink* link : told.close) {
    ReplicaFeed& feed = FeedOfLink(*link);
    services_.log.Warning("SYNC failed. BGSAVE child returned an error: {}", NameOf(feed));
    Drop(feed, Closing::kNow);
  }
  const config::Persistence& persistence = services_.settings.persistence;
  const bool kept = !persistence.save.empty() || persistence.appendonly;
  if (file != nullptr && persistence.rdb_del_sync_files && !kept) {
    services_.log.Notice("Removing the RDB file {} used to feed replicas in a persistence-less instance",
                         persistence.dbfilename);
    unlink(files_.snapshots().path().c_str());
  }
}

// ---- the server's own work ----

void Replicas::SendStream(int core) {
  if (ask_.load(std::memory_order_relaxed) && ask_.exchange(false))
    services_.journal.AppendControl(replication::kGetAckRecord);
  // Replies wait for what this turn has written: it is asked for at once. What another core writes behind the
  // question is that core's to ask for.
  if (wanted_.load(std::memory_order_relaxed) > 0 &&
      asked_for_.load(std::memory_order_relaxed) != backlog_.end()) {
    asked_for_.store(services_.journal.AppendControl(replication::kGetAckRecord), std::memory_order_relaxed);
  }
  const StreamOffset end = backlog_.end();
  for (size_t i = 0; i < cores_.size(); ++i) {
    OfCore& target = of_core_[i];
    if (target.count.load(std::memory_order_relaxed) == 0 ||
        target.told.load(std::memory_order_relaxed) == end)
      continue;
    target.told.store(end, std::memory_order_relaxed);
    if (static_cast<int>(i) == core) {
      FlushFeeds(core);
    } else if (!target.asked.exchange(true)) {
      cores_[i]->PostBetween([this, i] {
        of_core_[i].asked.store(false);
        FlushFeeds(static_cast<int>(i));
        return Core::Handled::kYes;
      });
    }
  }
}

// Some may be in a turn when a long command lets others go first; the end of the turn sends theirs.
void Replicas::FlushFeeds(int core) {
  const std::vector<uint64_t> sessions = of_core_[static_cast<size_t>(core)].sessions;
  for (uint64_t id : sessions) {
    Connection* connection = cores_[static_cast<size_t>(core)]->Find(id);
    if (connection == nullptr || connection->in_turn() || connection->state() == ConnectionState::kClosing)
      continue;
    cores_[static_cast<size_t>(core)]->Attend(id);
  }
}

void Replicas::Cron(bool follows) {
  dispatch::Dispatcher& dispatcher = *services_.dispatchers[0];
  const config::Replication& settings = services_.settings.replication;
  if (backlog_.active()) backlog_.Trim();
  pipe_.Resume();
  if (schedule_.waiting() > 0 && !files_.child().running() && dispatcher.long_commands().WorldIsFree() &&
      schedule_.Due(Now(), ScheduleSettings())) {
    dispatcher.WithWorldStopped([this] { BeginIfDue(); });
  }
  if (follows) return;
  if (feeds_.empty()) pings_.Rest(Now());
  const bool paused = services_.stream_rests.load(std::memory_order_relaxed);
  if (!feeds_.empty() && !paused &&
      pings_.Due(Now(), settings.repl_ping_replica_period_seconds * kMillisPerSecond))
    services_.journal.AppendControl(replication::kPingRecord);
  const bool alone = feeds_.empty() && backlog_.active() && wanted_ == 0 && alone_since_ != 0 &&
                     settings.repl_backlog_ttl_seconds > 0;
  if (alone && Now() - alone_since_ > settings.repl_backlog_ttl_seconds * kMillisPerSecond &&
      dispatcher.long_commands().WorldIsFree()) {
    dispatcher.WithWorldStopped([this] { StopStream(); });
  }
}

bool Replicas::EnoughReplicas() const {
  const config::Replication& settings = services_.settings.replication;
  const int64_t good = std::ranges::count_if(
      feeds_, [&](const ReplicaFeed* feed) { return feed->Good(settings.min_replicas_max_lag_seconds); });
  return good >= settings.min_replicas_to_write;
}

// ---- figures ----

std::vector<dispatch::ReplicaFacts> Replicas::Facts() const {
  std::vector<dispatch::ReplicaFacts> facts;
  for (ReplicaFeed* feed : feeds_) {
    const PrimaryLink& link = feed->link();
    if (feed->session().closing == Closing::kNow) continue;
    facts.push_back({.address = AddressOf(*feed),
                     .port = link.traits().listening_port,
                     .state = std::string(link.state_name()),
                     .offset = link.acknowledged(),
                     .lag_seconds = link.LagSeconds(Now()),
                     .online = link.state() == PrimaryLink::State::kOnline});
  }
  return facts;
}

bool Replicas::HasEverything(const std::string& address, int64_t port, dispatch::ReplicaFacts* found) const {
  const StreamOffset end = services_.journal.offset();
  for (const dispatch::ReplicaFacts& facts : Facts()) {
    if (!facts.online || facts.offset < end) continue;
    if (!address.empty() && (facts.address != address || facts.port != port)) continue;
    *found = facts;
    return true;
  }
  return false;
}

std::vector<dispatch::ReplicaFacts> Replicas::Behind() const {
  std::vector<dispatch::ReplicaFacts> behind = Facts();
  const StreamOffset end = services_.journal.offset();
  std::erase_if(behind, [end](const dispatch::ReplicaFacts& facts) { return facts.offset >= end; });
  return behind;
}

}  // namespace cinnabar::server
