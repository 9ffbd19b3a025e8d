#include "server/replica_feed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace cinnabar::server {

using replication::PrimaryLink;

namespace {

// When so little of a diskless snapshot is left to be sent, more may come.
constexpr uint64_t kDrainedBytes = 1024 * 1024;

}  // namespace

SnapshotFile::~SnapshotFile() {
  close(fd_);
}

std::shared_ptr<SnapshotFile> SnapshotFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat facts {};
  if (fstat(fd, &facts) == 0) return std::make_shared<SnapshotFile>(fd, static_cast<uint64_t>(facts.st_size));
  close(fd);
  return nullptr;
}

size_t SnapshotFile::Read(uint64_t offset, char* to, size_t room) const {
  const uint64_t wanted = std::min<uint64_t>(room, size_ - offset);
  ssize_t count = 0;
  do {
    count = pread(fd_, to, wanted, static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

Millis ReplicaFeed::Now() {
  return SystemMonotonicNanos() / kNanosPerMilli;
}

void ReplicaFeed::SendPayload(const SharedBytes& bytes) {
  payload_pending_.fetch_add(bytes.size(), std::memory_order_relaxed);
  payload_.AppendShared(bytes);
}

void ReplicaFeed::MoveText() {
  if (!link_.has_text()) return;
  std::string text = link_.TakeText();
  // The mark behind a payload comes behind all of it.
  if (!payload_.empty()) {
    after_payload_ += text;
  } else {
    session_.output.Append(text);
  }
}

bool ReplicaFeed::ready() const {
  if (!payload_.empty() || file_ != nullptr) return true;
  const auto* stream = link_.stream();
  return stream != nullptr && stream->pending_bytes() > 0;
}

int ReplicaFeed::Gather(iovec* vectors, int limit) {
  if (!payload_.empty()) return payload_.Gather(vectors, limit);
  if (file_ != nullptr) {
    if (piece_ == nullptr) piece_ = std::make_unique<char[]>(kPieceBytes);
    if (piece_bytes_ == 0) piece_bytes_ = file_->Read(file_sent_, piece_.get(), kPieceBytes);
    if (piece_bytes_ == 0) {  // it has become shorter, or cannot be read: the replica asks again
      session_.closing = dispatch::Closing::kNow;
      return 0;
    }
    vectors[0] = {piece_.get(), piece_bytes_};
    return 1;
  }
  auto* stream = link_.stream();
  return stream == nullptr ? 0 : stream->Gather(vectors, limit);
}

void ReplicaFeed::Sent(uint64_t bytes) {
  if (!payload_.empty()) {
    payload_.Consume(bytes);
    const uint64_t before = payload_pending_.fetch_sub(bytes, std::memory_order_relaxed);
    if (before >= kDrainedBytes && before - bytes < kDrainedBytes && drained_) drained_();
    link_.OnProgress(Now());
    if (payload_.empty()) session_.output.Append(std::exchange(after_payload_, {}));
    return;
  }
  if (file_ == nullptr) return link_.stream()->Advance(bytes);
  file_sent_ += bytes;
  link_.OnProgress(Now());
  // The rest of the piece moves to its front: a socket that is full takes little of it.
  piece_bytes_ -= bytes;
  std::copy_n(piece_.get() + bytes, piece_bytes_, piece_.get());
  if (file_sent_ < file_->size()) return;
  file_.reset();
  piece_.reset();
  link_.BulkSent(Now());
  if (link_.state() == PrimaryLink::State::kTransmitted) session_.closing = dispatch::Closing::kAfterReply;
}

PrimaryLink::Settings ReplicaFeed::LinkSettings() const {
  const config::BufferLimit& limit = settings_.clients.output_buffer_limit[config::kReplicaClient];
  PrimaryLink::Settings settings;
  settings.timeout = settings_.replication.repl_timeout_seconds * kMillisPerSecond;
  settings.backlog_bytes = static_cast<uint64_t>(settings_.replication.repl_backlog_size_bytes);
  settings.output_limit = {.hard_bytes = static_cast<uint64_t>(limit.hard_bytes),
                           .soft_bytes = static_cast<uint64_t>(limit.soft_bytes),
                           .soft_millis = limit.soft_seconds * kMillisPerSecond};
  return settings;
}

std::string ReplicaFeed::Tick() {
  // Where nothing waits to be sent the silence is not this replica's: the child is slow, or another replica
  // is.
  if (!ready()) link_.OnProgress(Now());
  const PrimaryLink::Close close = link_.OnTick(Now(), LinkSettings());
  switch (close) {
    case PrimaryLink::Close::kNo:
      return {};
    case PrimaryLink::Close::kTimeout:
      return fmt::format("Disconnecting timedout replica (streaming sync): {}", session_.facts.peer);
    case PrimaryLink::Close::kTimeoutInFullSync:
      return fmt::format("Disconnecting timedout replica (full sync): {}", session_.facts.peer);
    case PrimaryLink::Close::kOutputLimit:
      return fmt::format(
          "Client id={} addr={} (a replica) scheduled to be closed ASAP for overcoming of output buffer "
          "limits.",
          session_.id, session_.facts.peer);
  }
  return {};
}

}  // namespace cinnabar::server
