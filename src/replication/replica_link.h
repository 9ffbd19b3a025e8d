// ReplicaLink: our end of the connection to our primary. Sans-I/O: bytes and ticks in; bytes, "connect",
// "load this", "apply this" and "close" out, through a port.
//
//   kIdle -> kConnect -> kConnecting -> kPing -> kIntroduce -> kPsync --+CONTINUE-----------------> kOnline
//               ^  (waits to retry)                              |                                     ^
//               |                                       +FULLRESYNC -> kPayloadHeader -> kPayload -> kLoading
//               +------ any error, timeout or end of the connection, from anywhere
//
// What is said to the primary, and how it may answer, is written down beside each step in the .cc file; the
// protocol itself is outlined in https://redis.io/docs/latest/operate/oss_and_stack/management/replication/.
//
// The data set's position. `position()` names the history and the bytes of it that were applied, which is
// what the next PSYNC asks to continue from. Only what the server reported with Applied counts, and it
// reports only whole commands, and the commands of a MULTI together with their EXEC. So a connection may be
// cut anywhere: what was read beyond that is thrown away and sent again. On +CONTINUE with another id the
// same data goes on under that id. On +FULLRESYNC the position stays what it is until the new data set has
// been loaded (Loaded) or the old one is lost, for until then the old data is still there.
//
// Threads: one owner, the thread that reads the connection. `now` is a monotonic time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "replication/history.h"
#include "replication/payload_reader.h"

namespace cinnabar::replication {

// What the link does to the world. The calls come from inside the link's own functions: an implementation
// must not call the link back before it has returned. Views are good during the call.
class ReplicaLinkPort {
 public:
  virtual ~ReplicaLinkPort() = default;

  // Begin to connect to the primary; answer with Connected or Disconnected.
  virtual void Connect() = 0;
  // In order, behind what was sent before.
  virtual void Send(std::string_view bytes) = 0;
  // Close the connection (do not report it with Disconnected) and forget the bytes that were handed to Apply
  // and not reported as applied. `reason` is for the log.
  virtual void Close(std::string_view reason) = 0;

  // The primary goes on from our position, under `id`, which may be another one than ours: then
  // History::Shift, and our own replicas have to ask again.
  virtual void Continue(const ReplicationId& id) = 0;

  struct Payload {
    // Where the data set that comes stands. No id (ReplicationId::none) from a primary that knows only SYNC:
    // it cannot be continued later, and our own replicas get an id and offsets of our own.
    Position position;
    std::optional<uint64_t> size;  // none: the end is found when it comes
  };
  // A full synchronisation: a payload (an RDB file) comes in pieces. Whatever the server throws away of the
  // old data set, now or when it is complete: its own replicas, its backlog and its History end with it
  // (History::Replace, Backlog::Start at the position's offset).
  virtual void BeginLoad(const Payload& payload) = 0;
  virtual void LoadBytes(std::string_view bytes) = 0;
  // All of it was handed over. The server answers with Loaded when the data set is in place; until then
  // nothing more is taken from the connection.
  virtual void EndLoad() = 0;
  // The payload will not be completed, or not be needed: Loaded must not be called for it any more. Returns
  // whether the old data set is still whole.
  enum class OldData : uint8_t { kKept, kLost };
  virtual OldData AbortLoad() = 0;

  // Further bytes of the stream, in order, cut anywhere.
  virtual void Apply(std::string_view bytes) = 0;

  // The answer to a PSYNC with FAILOVER: whether the other side has become our primary.
  virtual void TakeOverAnswered(bool /*accepted*/) {}
};

class ReplicaLink {
 public:
  struct Settings {
    std::string user;      // masteruser; empty: the default user
    std::string password;  // masterauth; empty: no AUTH
    int64_t listening_port = 0;
    std::string announced_ip;  // empty: none
    std::string version;       // empty: not said (7.0)
    Millis timeout = 60'000;   // repl-timeout
    Millis retry_delay = 1000;
    Millis ack_period = 1000;
  };
  enum class State : uint8_t {
    kIdle,
    kConnect,
    kConnecting,
    kPing,
    kIntroduce,
    kPsync,
    kPayloadHeader,
    kPayload,
    kLoading,
    kOnline,
  };

  explicit ReplicaLink(ReplicaLinkPort& port) : port_(port) {}
  ReplicaLink(const ReplicaLink&) = delete;
  ReplicaLink& operator=(const ReplicaLink&) = delete;

  // Takes effect where they are used next.
  Settings& settings() { return settings_; }

  // Follow a primary from now on, first asking to continue from `position`, the place of our data set (none:
  // it belongs to no history). kDemand asks that primary, a replica until now, to take over (FAILOVER), until
  // it has answered. REQUIRES: kIdle.
  enum class TakeOver : uint8_t { kNo, kDemand };
  void Follow(std::optional<Position> position, Millis now, TakeOver take_over = TakeOver::kNo);
  // Follow nobody. The position remains readable; a payload that is not loaded yet is given up.
  void Stop();

  void Connected(Millis now);
  // The connection ended, or was not established.
  void Disconnected(std::string_view reason, Millis now);
  // Returns how many bytes were taken. Fewer than given only while a payload is loaded: the rest (and
  // whatever comes behind it) is to be given again after Loaded. After Close was called the rest means
  // nothing.
  size_t Received(std::string_view bytes, Millis now);
  // What came is loaded before more is taken from the connection: the silence is ours.
  void Busy(Millis now);
  // About every 100 ms.
  void OnTick(Millis now);

  // The answer to EndLoad; also allowed between BeginLoad and EndLoad with a failure (the disk is full, the
  // payload is damaged).
  enum class Load : uint8_t {
    kLoaded,
    kFailedOldDataKept,
    kFailedOldDataLost,
  };
  void Loaded(Load result, Millis now);

  // So many more bytes of the stream were applied: whole commands, whole transactions. REQUIRES: they were
  // handed to Apply.
  void Applied(uint64_t bytes);
  // Acknowledges what was applied: after REPLCONF GETACK in the stream. (Once a second it is done without
  // being asked.)
  void Acknowledge(Millis now);
  // What of the stream is on our disk: said with acknowledgements from then on.
  void SetOnDisk(StreamOffset offset) { on_disk_ = offset; }

  State state() const { return state_; }
  // As ROLE shows it: none, connect, connecting, handshake, sync, connected.
  std::string_view state_name() const;
  bool online() const { return state_ == State::kOnline; }
  // Where the data set stands (slave_repl_offset), as far as it is known to belong to a history.
  const std::optional<Position>& position() const { return position_; }
  // What was read of the stream, applied or not (slave_read_repl_offset). REQUIRES: online.
  StreamOffset read_offset() const { return position_->offset + unapplied_; }
  // Of the payload that is being received, for master_sync_*.
  const PayloadReader& payload() const { return payload_; }
  // When something came last, or the state began.
  Millis last_heard() const { return heard_at_; }
  // Since when the link has not been online. REQUIRES: !online().
  Millis down_since() const { return down_since_; }

 private:
  enum class Question : uint8_t { kAuth, kPort, kIp, kCapabilities, kVersion };

  void Introduce();
  void Ask(std::initializer_list<std::string_view> words);
  void AskToSync();
  // A line that the primary has sent, without its end.
  void TakeLine(std::string_view line, Millis now);
  void TakePong(std::string_view line, Millis now);
  void TakeIntroduced(std::string_view line, Millis now);
  void TakePsyncAnswer(std::string_view line, Millis now);
  void TakeContinue(std::string_view line, Millis now);
  void TakeFullResync(std::string_view line, Millis now);
  void TakePsyncError(std::string_view line, Millis now);
  void TakePayloadHeader(std::string_view line, Millis now);
  size_t TakeText(std::string_view bytes, Millis now);
  size_t TakePayload(std::string_view bytes, Millis now);
  void GoOnline(Millis now);
  void SayAlive(Millis now);
  // Everything that ends an attempt. kDrop: the connection is still open.
  enum class Connection : uint8_t { kDrop, kGone };
  void Retry(Connection connection, std::string_view reason, Millis now);
  void Leave(Connection connection, std::string_view reason);
  void AnswerTakeOver(bool accepted);
  void Enter(State state, Millis now);

  ReplicaLinkPort& port_;
  Settings settings_;
  State state_ = State::kIdle;
  TakeOver take_over_ = TakeOver::kNo;
  std::optional<Position> position_;
  uint64_t unapplied_ = 0;
  Position incoming_;  // of the payload
  bool by_sync_ = false;
  bool cut_while_loading_ = false;
  std::vector<Question> questions_;  // sent and not answered, last first
  std::string line_;                 // the beginning of one that was cut
  PayloadReader payload_;
  std::optional<StreamOffset> on_disk_;
  Millis heard_at_ = 0;
  Millis said_at_ = 0;
  Millis retry_at_ = 0;
  Millis down_since_ = 0;
};

}  // namespace cinnabar::replication
