// PrimaryLink: the primary's end of one replica's connection. Sans-I/O: parsed commands and ticks in; bytes,
// and what the link may send besides, out.
//
//   kClient --PSYNC: it continues------------------------------------------------> kOnline
//      |                                                                              ^
//      +--PSYNC, SYNC: full--> kWaitStart --begins--> kWaitEnd --file--> kSendBulk ---+
//                                                        +--diskless------------------+
//
// With rdb-only it ends with kTransmitted instead of kOnline.
//
// The handshake comes as ordinary commands of a session (PING and AUTH are answered there, REPLCONF and PSYNC
// here); from PSYNC on the connection is a replica's. What it sends, in order:
//   1. TakeText(): replies, `+CONTINUE`, `+FULLRESYNC`, the header of the payload, newlines that keep a
//      waiting replica from giving up, the mark behind a diskless payload. The session appends it to its
//      output whenever it has called anything here.
//   2. the payload, which the server sends itself: the file of a snapshot in kSendBulk (then BulkSent), or
//      the bytes of the child in kWaitEnd with Transfer::kStream (OnProgress when some have left);
//   3. stream(): the backlog from the offset of the snapshot on, sent from its blocks.
// The protocol is described only in part by
// https://redis.io/docs/latest/operate/oss_and_stack/management/replication/ and the PSYNC2 design
// (https://gist.github.com/antirez/ae068f95c0d084891305); the rest was seen on the wire of 7.0.
//
// A diskless payload ends with a mark that the replica looks for at the end of what it has read. So nothing
// may follow it until the replica has said, with its first ACK, that it has found it.
//
// Threads: the link belongs to the core of its session. OnPsync, OnSync and everything that SnapshotSchedule
// does to it run with the world stopped. The state, the last acknowledgement and the offset sent may be read
// anywhere with the world stopped.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "replication/ack_quorum.h"
#include "replication/backlog.h"
#include "replication/history.h"

namespace cinnabar::replication {

// How a snapshot travels: `$LENGTH` and a file, or `$EOF:MARK`, bytes of unknown length and the mark.
enum class Transfer : uint8_t { kFile, kStream };

// What of the data set a snapshot shall hold (REPLCONF rdb-filter-only).
struct PayloadFilter {
  bool without_data = false;
  bool without_functions = false;
  bool operator==(const PayloadFilter&) const = default;
  bool any() const { return without_data || without_functions; }
};

// What the replica said about itself.
struct ReplicaTraits {
  std::string announced_ip;  // empty: the peer address of the socket
  int64_t listening_port = 0;
  std::string version;  // empty: older than 7.2
  bool capa_eof = false;
  bool capa_psync2 = false;
  bool rdb_only = false;
  PayloadFilter filter;
};

// What a link needs to know of the server to answer PSYNC. References are used during the call only.
struct PrimarySide {
  enum class Upstream : uint8_t {
    kNone,  // we are the primary
    kUp,    // we are a replica, and follow our primary
    kDown,  // we are a replica, and do not
  };
  const History& history;
  // REQUIRES: active (a server that has had nobody to keep a stream for starts it, under a new id, before).
  Backlog& backlog;
  Upstream upstream = Upstream::kNone;
};

class PrimaryLink {
 public:
  enum class State : uint8_t { kClient, kWaitStart, kWaitEnd, kSendBulk, kOnline, kTransmitted };

  // client-output-buffer-limit replica; 0: no limit.
  struct OutputLimit {
    uint64_t hard_bytes = 0;
    uint64_t soft_bytes = 0;
    Millis soft_millis = 0;
  };
  struct Settings {
    Millis timeout = 60'000;  // repl-timeout
    OutputLimit output_limit;
    uint64_t backlog_bytes = 0;  // repl-backlog-size: a lower hard limit counts as this
  };

  // `session` is the caller's name for the link. The quorums, which must outlive it, count it while it is
  // online: `applied` what it has acknowledged, `on_disk` (if there is one) what it says that it has on disk.
  PrimaryLink(uint64_t session, AckQuorum& applied, AckQuorum* on_disk = nullptr)
      : session_(session), quorum_(applied), disk_quorum_(on_disk) {}
  PrimaryLink(const PrimaryLink&) = delete;
  PrimaryLink& operator=(const PrimaryLink&) = delete;
  ~PrimaryLink() { LeaveQuorum(); }

  enum class Replconf : uint8_t {
    kReplied,       // the answer is in the text
    kAcknowledged,  // an ACK: the quorum may have risen; no answer
    kSilent,        // GETACK and ACK of a connection that is no replica's: no answer
  };
  // `argv` begins with the command's name. `now` is a monotonic time, here and below.
  Replconf OnReplconf(std::span<const std::string_view> argv, Millis now);

  enum class Answer : uint8_t {
    kRefused,        // an error is in the text; still a client
    kIgnored,        // it is a replica already: no answer
    kContinues,      // online, from the offset asked for
    kNeedsSnapshot,  // to be given to the SnapshotSchedule
    kTakeOver,       // become a primary, then call this again without the last word
  };
  // PSYNC id offset [FAILOVER]. World stopped. The last word is our primary's, which has stopped taking
  // writes, waits until we have everything, and wants to be our replica (the command FAILOVER).
  Answer OnPsync(std::span<const std::string_view> argv, const PrimarySide& side, Millis now);
  // SYNC: full, and without a word about id and offset.
  Answer OnSync(const PrimarySide& side, Millis now);
  // What the last PSYNC was, for sync_partial_ok, sync_partial_err and sync_full: a replica that asks with
  // `?` has not tried to continue.
  bool asked_to_continue() const { return asked_to_continue_; }

  // An empty line: what a replica sends while it loads, to be heard.
  void OnNewline(Millis now) { NoteHeard(now); }
  // Some of the payload has left.
  void OnProgress(Millis now) { progress_at_ = now; }
  // The same replica, as far as its address tells, has come on another link: this one may be dead without
  // knowing. It does not count for the quorums until it is heard of again.
  void Doubt(Millis now);
  // kSendBulk: the whole file has left. Afterwards online, or kTransmitted: then close.
  void BulkSent(Millis now);

  enum class Close : uint8_t { kNo, kTimeout, kTimeoutInFullSync, kOutputLimit };
  // Whether more of the stream waits for it than may at any moment.
  bool OverHardLimit(const Settings& settings) const {
    const uint64_t limit = settings.output_limit.hard_bytes;
    // A limit below the size of the backlog would close replicas that continue from it.
    return limit != 0 && pending_bytes() > std::max(limit, settings.backlog_bytes);
  }
  // About every 100 ms; may add text. Anything but kNo: close the connection.
  Close OnTick(Millis now, const Settings& settings);

  // Moves what is to be sent next to the caller.
  std::string TakeText() { return std::exchange(text_, {}); }
  bool has_text() const { return !text_.empty(); }
  // The stream, when it may be sent (behind the text and the payload), else null. The pointer is good until
  // the next call.
  Backlog::Cursor* stream() { return stream_flows() ? &cursor_ : nullptr; }
  const Backlog::Cursor* stream() const { return stream_flows() ? &cursor_ : nullptr; }

  uint64_t session() const { return session_; }
  State state() const { return state_; }
  // As INFO shows it: wait_bgsave, send_bulk, online. Empty: not a replica.
  std::string_view state_name() const;
  const ReplicaTraits& traits() const { return traits_; }
  StreamOffset acknowledged() const { return acknowledged_; }
  // What the replica has on disk, 0 if it never said.
  StreamOffset acknowledged_on_disk() const { return acknowledged_on_disk_; }
  // Seconds since the last acknowledgement; 0 while not online.
  int64_t LagSeconds(Millis now) const;
  // For min-replicas-to-write. Any thread, while the link lives.
  bool Good(Millis now, int64_t lag_seconds_max) const {
    const Millis heard_at = heard_online_at_.load(std::memory_order_relaxed);
    return heard_at != kNever && (now - heard_at) / kMillisPerSecond <= lag_seconds_max;
  }
  // Bytes of the stream that wait for this link.
  uint64_t pending_bytes() const { return cursor_ ? cursor_.pending_bytes() : 0; }

 private:
  friend class SnapshotSchedule;

  void NoteHeard(Millis now) {
    acknowledged_at_ = now;
    if (state_ == State::kOnline) heard_online_at_.store(now, std::memory_order_relaxed);
  }
  bool stream_flows() const { return state_ == State::kOnline && !stream_waits_for_ack_; }
  // nullopt: go on with the next option.
  std::optional<Replconf> TakeOption(std::string_view name, std::string_view value);
  Replconf TakeAcknowledgement(std::span<const std::string_view> argv, Millis now);
  bool TakeFilter(std::string_view text);
  Replconf Reply(std::string_view line);
  Answer Refuse(std::string_view line);
  std::optional<Answer> RefuseEarly(const PrimarySide& side);
  void GoOnline(Millis now);
  void JoinQuorum();
  void LeaveQuorum();
  bool OverLimit(Millis now, const Settings& settings);

  // What the schedule does.
  void BeginPayload(const Position& position, Transfer transfer, Backlog::Cursor cursor,
                    std::string_view mark, Millis now);
  void EndPayload(std::string_view mark, Millis now);
  void AnnounceFile(uint64_t size, Millis now);
  void GiveUpSnapshot();

  const uint64_t session_;
  AckQuorum& quorum_;
  AckQuorum* disk_quorum_;
  struct Seats {
    AckQuorum::Member applied;
    std::optional<AckQuorum::Member> on_disk;
  };
  std::optional<Seats> seats_;  // in the quorums
  State state_ = State::kClient;
  Transfer transfer_ = Transfer::kFile;
  bool by_sync_ = false;  // with SYNC: it says nothing and is not timed out
  bool asked_to_continue_ = false;
  bool stream_waits_for_ack_ = false;
  ReplicaTraits traits_;
  std::string text_;
  Backlog::Cursor cursor_;
  StreamOffset acknowledged_ = 0;
  StreamOffset acknowledged_on_disk_ = 0;
  Millis acknowledged_at_ = 0;
  static constexpr Millis kNever = -1;
  // What was on its way when a link was doubted has arrived by then.
  static constexpr Millis kDoubtMillis = 1000;
  Millis doubted_at_ = kNever;
  std::atomic<Millis> heard_online_at_{kNever};  // acknowledged_at_ of a link that is online
  Millis progress_at_ = 0;
  Millis newline_at_ = 0;
  std::optional<Millis> over_soft_since_;
};

// When a primary puts a PING into its stream, so that replicas hear it even when nobody writes. Only a server
// that has no primary itself does: a replica passes on what it gets.
class StreamPings {
 public:
  // `period` is repl-ping-replica-period. True: append kPingRecord now.
  // Nobody listens: the period begins when somebody does.
  void Rest(Millis now) { last_ = now; }
  bool Due(Millis now, Millis period) {
    if (now - last_ < period) return false;
    last_ = now;
    return true;
  }

 private:
  Millis last_ = std::numeric_limits<Millis>::min() / 2;
};

// Records that primaries put into the stream besides the effects of commands.
inline constexpr std::string_view kPingRecord = "*1\r\n$4\r\nPING\r\n";
// Asks every replica for an ACK now: for WAIT, and for replies that wait for replicas.
inline constexpr std::string_view kGetAckRecord = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

}  // namespace cinnabar::replication
