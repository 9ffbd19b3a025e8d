// The connection to our primary: how it is made, read and written, and how a payload becomes the data set.
// How the stream is applied stands in following_stream.cc.
#include "server/following.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "config/config.h"
#include "net/socket.h"

namespace cinnabar::server {

using replication::ReplicaLink;
using State = ReplicaLink::State;

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr Millis kQuickPayload = 50;
constexpr Millis kConnectPatience = 5000;

}  // namespace

Following::Following(dispatch::Services& services, const Cores& cores, ServerDataFiles& files,
                     Replicas& replicas, const TlsContexts& tls, uint64_t session_id)
    : services_(services), cores_(cores), files_(files), replicas_(replicas), tls_(tls) {
  session_ = std::make_unique<dispatch::Session>(session_id, OutputBuffer(OutputBuffer::kFixedBytesMin));
  session_->upstream = true;
  session_->facts.core = 0;
  // Nothing puts a command of the stream off: it waits for its locks.
  session_->postponements = UINT8_MAX;
}

Following::~Following() {
  if (payload_fd_ >= 0) close(payload_fd_);
}

void Following::ApplySettings() {
  const config::Settings& settings = services_.settings;
  ReplicaLink::Settings& ours = link_.settings();
  ours.user = settings.replication.masteruser;
  ours.password = settings.replication.masterauth;
  const bool only_tls = settings.tls.replication && settings.tls.port != 0;
  ours.listening_port = settings.replication.replica_announce_port != 0
                            ? settings.replication.replica_announce_port
                            : (only_tls ? settings.tls.port : settings.network.port);
  ours.announced_ip = settings.replication.replica_announce_ip;
  ours.version = settings.general.compat_version == config::CompatVersion::k70
                     ? ""
                     : std::string(config::RedisVersion(settings.general.compat_version));
  ours.timeout = settings.replication.repl_timeout_seconds * kMillisPerSecond;
}

void Following::Follow(const std::string& host, int64_t port, std::optional<replication::Position> position,
                       ReplicaLink::TakeOver take_over) {
  host_ = host;
  port_ = port;
  ApplySettings();
  link_.Follow(position, Now(), take_over);
}

void Following::Stop() {
  link_.Stop();
  AfterLink();
  host_.clear();
}

// ---- the connection ----

void Following::Connect() {
  services_.log.Notice("Connecting to MASTER {}:{}", host_, port_);
  services_.log.Notice("MASTER <-> REPLICA sync started");
  const uint64_t attempt = ++attempt_;
  if (IsNumericAddress(host_)) {
    // When the link has returned.
    return cores_[0]->Post([this, attempt] {
      if (attempt == attempt_ && link_.state() == State::kConnecting) ConnectTo(host_);
    });
  }
  lookup_.Begin(host_, Now());
}

void Following::TakeLookup() {
  const auto answer = lookup_.Take(Now());
  if (!answer) return;
  if (*answer) return ConnectTo(**answer);
  ConnectFailed(answer->error().message);
}

void Following::ConnectFailed(const std::string& reason) {
  services_.log.Warning("Unable to connect to MASTER: {}", reason);
  Drop();
  link_.Disconnected(reason, Now());
  AfterLink();
}

void Following::ConnectTo(const std::string& numeric_host) {
  auto begun =
      net::BeginConnect(numeric_host, static_cast<int>(port_), services_.settings.network.bind_source_addr);
  if (!begun) return ConnectFailed(begun.error().message);
  transport_ = std::make_unique<net::SocketTransport>(*begun);
  if (services_.settings.tls.replication) transport_ = tls_.OverOurs(std::move(transport_));
  connecting_ = true;
  arrived_ = false;
  connect_at_ = Now();
  watched_ = net::kReadable;
  if (Status added = cores_[0]->AddListener(*begun, *this); !added)
    return ConnectFailed(added.error().message);
  watched_ = net::kReadable | net::kWritable;
  cores_[0]->WatchListener(*begun, *this, watched_);
  session_->facts.fd = *begun;
  session_->facts.peer = fmt::format("{}:{}", numeric_host, port_);
  session_->created = session_->last_active = services_.dispatchers[0]->core().now;
}

void Following::ConnectingFailed(const std::string& reason) {
  services_.log.Warning("Error condition on socket for SYNC: {}", reason);
  Drop();
  link_.Disconnected(reason, Now());
}

bool Following::FinishConnecting() {
  if (!arrived_) {
    const int error = net::ConnectError(transport_->fd());
    if (error == EINPROGRESS) return false;
    if (error != 0) {
      ConnectingFailed(strerror(error));
      return false;
    }
    arrived_ = true;
    net::SetNoDelay(transport_->fd());
    net::SetKeepAlive(transport_->fd(), static_cast<int>(services_.settings.network.tcp_keepalive_seconds));
    session_->facts.local = net::LocalName(transport_->fd());
  }
  using Outcome = net::Transfer::Outcome;
  net::Transfer step{.outcome = Outcome::kLater};
  if (transport_->unsent()) step = transport_->Write({});
  char none = 0;
  if (step.outcome == Outcome::kLater && transport_->awaits_peer()) step = transport_->Read({&none, 1});
  if (step.outcome != Outcome::kLater) {
    // A primary says nothing before it is asked.
    const std::string_view problem = transport_->problem();
    ConnectingFailed(problem.empty() ? "the primary has closed it" : std::string(problem));
    return false;
  }
  Watch();
  if (transport_->awaits_peer() || transport_->unsent()) return false;
  connecting_ = false;
  services_.log.Notice("Non blocking connect for SYNC fired the event.");
  link_.Connected(Now());
  return true;
}

void Following::Watch() {
  const uint32_t events =
      transport_->Interest(net::kReadable | (unsent_.empty() ? 0u : uint32_t{net::kWritable}));
  if (events == watched_) return;
  watched_ = events;
  cores_[0]->WatchListener(transport_->fd(), *this, events);
}

void Following::Drop() {
  ++attempt_;
  lookup_.Forget();
  connecting_ = cut_ = false;
  unsent_.clear();
  unread_.clear();
  BeginStream(passed_database_);
  if (transport_ == nullptr) return;
  cores_[0]->RemoveListener(transport_->fd(), *this);
  transport_.reset();
}

void Following::Close(std::string_view reason) {
  if (!reason.empty()) services_.log.Warning("{}", reason);
  Drop();
}

// The primary hears of it at once, even if this core is busy for a while.
void Following::Disconnect() {
  cut_ = true;
  if (transport_ != nullptr) transport_->Shutdown();
}

void Following::Send(std::string_view bytes) {
  unsent_.append(bytes);
}

void Following::WriteSome() {
  if (transport_ == nullptr || connecting_) return;
  if (!unsent_.empty() || transport_->unsent()) {
    const iovec part{unsent_.data(), unsent_.size()};
    const net::Transfer sent = transport_->Write({&part, unsent_.empty() ? 0u : 1u});
    // An error of the socket shows when it is read; one of a layer may not.
    if (sent.outcome == net::Transfer::Outcome::kFailed && !transport_->problem().empty()) cut_ = true;
    unsent_.erase(0, sent.bytes);
  }
  Watch();
}

void Following::OnReady() {
  // A long command has let others go first: the stream waits for its end.
  if (transport_ == nullptr || services_.dispatchers[0]->long_commands().yielding()) return;
  if (!connecting_ || FinishConnecting()) ReadSome();
  AfterLink();
}

bool Following::MayRead() const {
  const bool full = incoming_ != nullptr && incoming_->full();
  return transport_ != nullptr && !connecting_ && !behind_ && unread_.empty() && !full;
}

void Following::ReadSome() {
  if (!MayRead()) return;
  static thread_local std::unique_ptr<char[]> room{new char[kReadBytes]};
  const net::Transfer got = transport_->Read({room.get(), kReadBytes});
  if (got.outcome == net::Transfer::Outcome::kLater) return;
  if (got.outcome != net::Transfer::Outcome::kMoved) {
    const std::string_view problem = transport_->problem();
    const std::string reason = got.outcome == net::Transfer::Outcome::kEnded ? "the primary has closed it"
                               : problem.empty()                             ? strerror(got.error)
                                                                             : std::string(problem);
    services_.log.Warning("Connection with master lost.");
    if (!problem.empty()) services_.log.Warning("TLS with the master: {}", problem);
    Drop();
    return link_.Disconnected(reason, Now());
  }
  session_->facts.bytes_in += got.bytes;
  session_->last_active = services_.dispatchers[0]->core().now;
  cores_[0]->figures().bytes_in.Add(got.bytes);
  const std::string_view bytes(room.get(), got.bytes);
  const size_t taken = link_.Received(bytes, Now());
  if (taken < bytes.size() && transport_ != nullptr) unread_.assign(bytes.substr(taken));
}

void Following::AfterLink() {
  if (link_.online()) heard_online_ = link_.last_heard();
  if (payload_error_ && payload_fd_ < 0 && !payload_path_.empty() && !installing_) {
    const std::string reason = *std::exchange(payload_error_, std::nullopt);
    FailPayload(reason, ReplicaLink::Load::kFailedOldDataKept);
  }
  const bool complete = std::exchange(payload_complete_, false);
  if (!installing_ && (complete || InstallsEarly())) Install();
  ApplySome();
  WriteSome();
  if (take_over_answer_) take_over_answered_(*std::exchange(take_over_answer_, std::nullopt));
  if (was_up_ != link_.online()) {
    was_up_ = link_.online();
    link_changed_();
  }
}

void Following::Cron() {
  if (!active()) return;
  ApplySettings();
  if (cut_ && transport_ != nullptr) {
    services_.log.Warning("Connection with master lost.");
    Drop();
    link_.Disconnected("closed by a client", Now());
  }
  cut_ = false;
  if (const auto durable = files_.Local(); durable.kept) link_.SetOnDisk(durable.durable);
  TakeLookup();
  // The address may be that of a machine that is gone, while its name has a new one already.
  if (connecting_ && Now() - connect_at_ > kConnectPatience) ConnectFailed("no answer");
  if (incoming_ != nullptr && incoming_->full()) link_.Busy(Now());
  link_.OnTick(Now());
  AfterLink();
}

// ---- the payload ----

void Following::Continue(const replication::ReplicationId& id) {
  services_.log.Notice("Successful partial resynchronization with master.");
  services_.log.Notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
  services_.dispatchers[0]->WithWorldStopped([&] { replicas_.ContinueUnder(id); });
  BeginStream(session_->database);
}

std::string Following::TemporaryPath() const {
  return fmt::format("{}/temp-{}.{}.rdb", services_.settings.persistence.dir,
                     SystemWallNanos() / kNanosPerSecond, getpid());
}

// repl-diskless-load: without a file of its own the payload is loaded while it comes.
Following::PayloadPlan Following::PlanFor(const replication::Position& position) const {
  PayloadPlan plan;
  const config::DisklessLoad mode = services_.settings.replication.repl_diskless_load;
  if (mode == config::DisklessLoad::kOnEmptyDb) {
    plan.at_once = true;
    for (int i = 0; i < services_.keyspace.databases(); ++i) {
      if (services_.keyspace.Size(i) != 0) plan.at_once = false;
    }
  }
  if (mode == config::DisklessLoad::kSwapDb) {
    plan.at_once = plan.apart = true;
    // The old data is an older state of the same data set: it may be shown meanwhile.
    plan.serving = !position.id.none() && position.id == replicas_.history().id() && link_.position();
  }
  return plan;
}

void Following::BeginLoad(const Payload& payload) {
  payload_position_ = payload.position;
  payload_began_ = Now();
  payload_error_.reset();
  services_.dispatchers[0]->WithWorldStopped([&] { plan_ = PlanFor(payload.position); });
  const std::string_view to = plan_.at_once ? "parser" : "disk";
  if (!payload.position.id.none()) {
    services_.log.Notice("Full resync from master: {}:{}", payload.position.id.text(),
                         payload.position.offset);
  }
  if (payload.size) {
    services_.log.Notice("MASTER <-> REPLICA sync: receiving {} bytes from master to {}", *payload.size, to);
  } else {
    services_.log.Notice("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {}", to);
  }
  if (plan_.at_once) {
    incoming_ = std::make_shared<IncomingPayload>(payload.size);
    return;
  }
  payload_path_ = TemporaryPath();
  payload_fd_ = open(payload_path_.c_str(), O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0644);
  if (payload_fd_ < 0) {
    payload_error_ = fmt::format("Opening the temp file needed for MASTER <-> REPLICA synchronization: {}",
                                 strerror(errno));
  }
}

void Following::LoadBytes(std::string_view bytes) {
  if (incoming_ != nullptr) return incoming_->Append(bytes);
  while (!bytes.empty() && payload_fd_ >= 0) {
    const ssize_t count = write(payload_fd_, bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      payload_error_ = fmt::format(
          "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA "
          "synchronization: {}",
          count == 0 ? "No space left on device" : strerror(errno));
      ClosePayload();
    }
  }
}

void Following::ClosePayload() {
  if (payload_fd_ >= 0) close(std::exchange(payload_fd_, -1));
}

void Following::ForgetPayload() {
  ClosePayload();
  incoming_.reset();
  if (!payload_path_.empty()) unlink(payload_path_.c_str());
  payload_path_.clear();
  payload_error_.reset();
  payload_complete_ = false;
}

void Following::EndLoad() {
  if (incoming_ != nullptr) incoming_->End();
  payload_complete_ = !payload_error_;
}

replication::ReplicaLinkPort::OldData Following::AbortLoad() {
  ForgetPayload();
  if (!std::exchange(installing_, false)) return OldData::kKept;
  auto end = ServerDataFiles::LoadEnd::kOldDataKept;
  services_.dispatchers[0]->WithWorldStopped([&] {
    end = files_.StopLoading();
    if (end == ServerDataFiles::LoadEnd::kOldDataLost) replicas_.ChangeId();
  });
  return end == ServerDataFiles::LoadEnd::kOldDataKept ? OldData::kKept : OldData::kLost;
}

void Following::FailPayload(std::string reason, ReplicaLink::Load result) {
  services_.log.Warning("{}", reason);
  ForgetPayload();
  link_.Loaded(result, Now());
}

// A small one that comes quickly is loaded when all of it is there: nobody needs to be told of it.
bool Following::InstallsEarly() const {
  if (incoming_ == nullptr) return false;
  const int64_t small = services_.settings.testing.loading_process_events_interval_bytes;
  return incoming_->received() >= static_cast<uint64_t>(small) || Now() - payload_began_ > kQuickPayload;
}

Status Following::CloseFile() {
  const bool synced = fsync(payload_fd_) == 0;
  const int code = errno;
  ClosePayload();
  if (synced) return {};
  return Fail(fmt::format(
      "Failed trying to sync the temp DB to disk in MASTER <-> REPLICA synchronization: {}", strerror(code)));
}

void Following::Install() {
  if (!plan_.at_once) {
    if (const Status closed = CloseFile(); !closed)
      return FailPayload(closed.error().message, ReplicaLink::Load::kFailedOldDataKept);
  }
  installing_ = true;
  if (!plan_.apart) services_.log.Notice("MASTER <-> REPLICA sync: Flushing old data");
  Status begun;
  services_.dispatchers[0]->WithWorldStopped([&] {
    if (!plan_.apart) replicas_.DisconnectAll("a full synchronization with the master replaces the data set");
    begun = files_.LoadInPlace({.path = payload_path_,
                                .incoming = incoming_,
                                .becomes_dump = !plan_.at_once,
                                .apart = plan_.apart,
                                .serving = plan_.serving},
                               [this](ServerDataFiles::LoadEnd end) { Installed(end); });
    if (!begun) return;
    services_.log.Notice("MASTER <-> REPLICA sync: Loading DB in memory");
    if (!plan_.apart) (void)files_.LoadFirst();  // a failure has been dealt with
  });
  if (begun) return;
  installing_ = false;
  FailPayload(begun.error().message, ReplicaLink::Load::kFailedOldDataKept);
}

// On core 0 in a turn, when the loader has come to its end; for a small data set inside Install.
void Following::Installed(ServerDataFiles::LoadEnd end) {
  using End = ServerDataFiles::LoadEnd;
  installing_ = false;
  incoming_.reset();
  payload_path_.clear();
  auto result = ReplicaLink::Load::kFailedOldDataKept;
  services_.dispatchers[0]->WithWorldStopped([&] {
    if (end == End::kLoaded) {
      replication::Position position = payload_position_;
      if (position.id.none()) position = {replicas_.NewId(), 0};
      BeginStream(files_.last_load().stream_database);
      replicas_.BeginAt(replication::History(position.id), position.offset);
      services_.log.Notice("MASTER <-> REPLICA sync: Finished with success");
      files_.LoadedInPlace();
      result = ReplicaLink::Load::kLoaded;
      return;
    }
    services_.log.Warning("Failed trying to load the MASTER synchronization DB, check server logs.");
    if (end == End::kOldDataKept) return;
    replicas_.ChangeId();
    result = ReplicaLink::Load::kFailedOldDataLost;
  });
  link_.Loaded(result, Now());
  if (const std::string rest = std::exchange(unread_, {}); !rest.empty() && transport_ != nullptr) {
    const size_t taken = link_.Received(rest, Now());
    if (taken < rest.size() && transport_ != nullptr) unread_ = rest.substr(taken);
  }
  AfterLink();
}

// ---- figures ----

dispatch::PrimaryFacts Following::Facts() const {
  dispatch::PrimaryFacts facts;
  facts.host = host_;
  facts.port = port_;
  facts.state = link_.state_name();
  facts.up = link_.online();
  facts.syncing = link_.state() == State::kPayload || link_.state() == State::kPayloadHeader ||
                  link_.state() == State::kLoading;
  if (facts.up) {
    facts.last_io_seconds = (Now() - link_.last_heard()) / kMillisPerSecond;
    facts.read_offset = link_.read_offset();
  } else {
    facts.down_seconds = (Now() - link_.down_since()) / kMillisPerSecond;
    facts.read_offset = link_.position() ? link_.position()->offset : 0;
  }
  facts.offset = link_.position() ? link_.position()->offset : 0;
  if (facts.syncing) {
    facts.sync_total_bytes = link_.payload().size();
    facts.sync_read_bytes = link_.payload().received();
    facts.sync_last_io_seconds = (Now() - link_.last_heard()) / kMillisPerSecond;
  }
  return facts;
}

}  // namespace cinnabar::server
