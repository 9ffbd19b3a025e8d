// ReplicaFeed: what the connection of one replica sends besides replies: the file of a snapshot, or the bytes
// of a diskless one, then the stream.
//
//   text (through the session's output) -> file in pieces, or bytes of the child -> backlog, from its blocks
//
// Owned by its session; used on the session's core. What belongs to a snapshot changes with the world
// stopped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/output_buffer.h"
#include "config/settings.h"
#include "dispatch/session.h"
#include "replication/primary_link.h"

namespace cinnabar::server {

// A file that is open for as long as somebody sends it, whatever becomes of its name.
class SnapshotFile {
 public:
  SnapshotFile(int fd, uint64_t size) : fd_(fd), size_(size) {}
  ~SnapshotFile();
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;
  // Null when it cannot be opened.
  static std::shared_ptr<SnapshotFile> Open(const std::string& path);

  uint64_t size() const { return size_; }
  // Reads at most `room` bytes from `offset` on; 0 when that fails.
  size_t Read(uint64_t offset, char* to, size_t room) const;

 private:
  const int fd_;
  const uint64_t size_;
};

class ReplicaFeed final : public dispatch::Feed {
 public:
  ReplicaFeed(dispatch::Session& session, const config::Settings& settings, replication::AckQuorum& applied,
              replication::AckQuorum& on_disk)
      : session_(session), settings_(settings), link_(session.id, applied, &on_disk) {}

  replication::PrimaryLink& link() { return link_; }
  const replication::PrimaryLink& link() const { return link_; }
  dispatch::Session& session() { return session_; }
  // REQUIRES: the link is in kSendBulk.
  void SendFile(std::shared_ptr<SnapshotFile> file) {
    file_ = std::move(file);
    file_sent_ = 0;
  }
  // Bytes of a diskless snapshot, which more than one feed sends.
  void SendPayload(const SharedBytes& bytes);
  // Called on the session's core when there is room for more of them.
  void SetDrained(std::function<void()> drained) { drained_ = std::move(drained); }
  // For min-replicas-to-write. Any core, inside a batch.
  bool Good(int64_t lag_seconds_max) const { return link_.Good(Now(), lag_seconds_max); }
  // What of it has not left yet. Any thread.
  uint64_t payload_pending() const { return payload_pending_.load(std::memory_order_relaxed); }

  // dispatch::Feed:
  bool replica() const override { return link_.state() != replication::PrimaryLink::State::kClient; }
  void MoveText() override;
  bool ready() const override;
  int Gather(iovec* vectors, int limit) override;
  void Sent(uint64_t bytes) override;
  std::string Tick() override;
  bool over_limit() const override { return link_.OverHardLimit(LinkSettings()); }
  uint64_t pending_bytes() const override { return link_.pending_bytes(); }

 private:
  static constexpr size_t kPieceBytes = 64 * 1024;
  static Millis Now();
  replication::PrimaryLink::Settings LinkSettings() const;

  dispatch::Session& session_;
  const config::Settings& settings_;
  replication::PrimaryLink link_;
  std::shared_ptr<SnapshotFile> file_;
  uint64_t file_sent_ = 0;
  std::unique_ptr<char[]> piece_;  // of the file, from file_sent_ on
  size_t piece_bytes_ = 0;
  OutputBuffer payload_{OutputBuffer::kFixedBytesMin};
  std::atomic<uint64_t> payload_pending_{0};
  std::function<void()> drained_;
  std::string after_payload_;  // text that came while some of the payload had not left
};

}  // namespace cinnabar::server
