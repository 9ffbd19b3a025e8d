// How replies leave: when they may, how much at once, and how much a client may leave unread.
//
// When. A reply may tell of changes that are appended to the journal but not as safe yet as the settings ask.
// `Caller::hold_until` is the offset of the journal that its replies tell of; `Durability::released` is the
// offset up to which the journal is safe. While the first is ahead, the replies stay in their session
// (HeldReplies).
//   always:        asked at the end of a turn (Kick), the log's own thread syncs, raises `released`, and
//                  asks the cores that hold replies to look again (FlushHeld, by mailbox).
//   everysec, no:  written is safe enough, and the core writes the journal itself (Kick) before it sends.
// In the second case one write for each connection would cost as much as the replies themselves. So as long
// as more connections are to be served in this turn, and few bytes wait, replies are put off to the end of
// the turn's events, where one write serves all of them. In a long turn the journal is also written every
// millisecond, so that the replies of the first connections do not wait for the last (ProcessEvents).
//
// How much. A socket gets at most 256 kB in one turn; for the rest the core waits until it can be written, so
// that others are served in between.
//
// How much unread. Replies that a client does not read stay in its session. Beyond the limits of its class
// the connection is closed (dispatch/output_limits.h).
#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/output_limits.h"
#include "server/core.h"

namespace cinnabar::server {

using dispatch::Closing;
using dispatch::Session;
using Outcome = net::Transfer::Outcome;

namespace {

// Bytes written to one socket in one turn, so that a large reply does not keep the others waiting.
constexpr size_t kWriteTurnBytes = 256 * 1024;
constexpr int kWriteVectors = 64;
// While more connections are to be served in the same turn, at most so many bytes of the journal wait for
// them.
constexpr uint64_t kKickBytes = 4096;

}  // namespace

// False when the connection is of no use any more.
bool Core::WriteSome(Connection& connection) {
  Session& session = connection.session;
  size_t written = 0;
  while (!session.output.empty() && written < kWriteTurnBytes) {
    iovec vectors[kWriteVectors];
    int count = session.output.Gather(vectors, kWriteVectors);
    size_t total = 0;
    for (int i = 0; i < count; ++i) {
      vectors[i].iov_len = std::min(vectors[i].iov_len, kWriteTurnBytes - total);
      total += vectors[i].iov_len;
      if (total == kWriteTurnBytes) count = i + 1;
    }
    const net::Transfer sent = connection.transport->Write({vectors, static_cast<size_t>(count)});
    if (sent.outcome == Outcome::kFailed) return false;
    if (sent.outcome != Outcome::kMoved) break;
    figures_.writes.Add();
    session.output.Consume(sent.bytes);
    written += sent.bytes;
    if (sent.bytes < total) break;
  }
  if (written > 0) figures_.bytes_out.Add(written);
  session.facts.bytes_out += written;
  if (written > 0) session.last_active = dispatcher_.core().now;
  return true;
}

// What a replica gets behind its replies. False when the connection is of no use any more.
bool Core::WriteFeed(Connection& connection) {
  Session& session = connection.session;
  size_t written = 0;
  while (written < kWriteTurnBytes && session.output.empty() && session.closing != Closing::kNow) {
    iovec vectors[kWriteVectors];
    const int count = session.feed->Gather(vectors, kWriteVectors);
    if (count == 0) break;
    size_t total = 0;
    for (int i = 0; i < count; ++i) total += vectors[i].iov_len;
    const net::Transfer sent = connection.transport->Write({vectors, static_cast<size_t>(count)});
    if (sent.outcome == Outcome::kFailed) return false;
    if (sent.outcome != Outcome::kMoved) break;
    figures_.writes.Add();
    session.feed->Sent(sent.bytes);
    session.feed->MoveText();
    written += sent.bytes;
    if (sent.bytes < total) break;
  }
  if (written > 0) figures_.bytes_out.Add(written);
  session.facts.bytes_out += written;
  return true;
}

// Sends the bytes that the transport holds. False when the connection is gone.
bool Core::SendUnsent(Connection& connection) {
  if (connection.transport->Write({}).outcome == Outcome::kFailed) {
    Close(connection);
    return false;
  }
  Want(connection, connection.wanted);
  return true;
}

// REQUIRES: `hold_until` of the connection is ahead of `released`. Writes the journal if that is due;
// true if the replies have to wait all the same.
bool Core::HoldReplies(Connection& connection) {
  const Session& session = connection.session;
  const bool always = services_.settings.persistence.appendfsync == config::AppendFsync::kAlways;
  const bool put_off =
      !always && kicks_.more_chunks && session.hold_until - services_.durability.released.load() < kKickBytes;
  if (!always && !put_off) services_.files->Kick();
  if (session.hold_until <= services_.durability.released.load(std::memory_order_acquire)) return false;
  if (!connection.StandsIn(Place::kHeld)) connection.held_since = dispatcher_.core().now;
  held_.Hold(connection);
  if (put_off) return kicks_.put_off = true;
  held_.Announce();
  if (session.hold_until > services_.durability.released.load()) return true;
  held_.Forget(connection);
  return false;
}

// Replies have waited for replicas as long as they may. What they tell has been done here; whether it
// survives the loss of this server, nobody knows. True: the connection is on its way out.
bool Core::GiveUpWaiting(Connection& connection, Millis now) {
  const config::Replication& settings = services_.settings.replication;
  const Millis timeout = settings.min_replicas_acknowledge_timeout_millis;
  Session& session = connection.session;
  if (settings.min_replicas_to_acknowledge == 0 || timeout == 0 || now - connection.held_since <= timeout)
    return false;
  const dispatch::AcknowledgedCopies copies = services_.replication->CopiesOf(session.hold_until);
  if (copies.in_memory >= settings.min_replicas_to_acknowledge) return false;  // it waits for the disk
  held_.Forget(connection);
  session.hold_until = 0;
  session.closing = Closing::kNow;
  // In the middle of a reply an error would be taken for a part of it.
  if ((connection.wanted & net::kWritable) == 0) {
    session.output.Clear();
    session.reply.Error(
        "NOREPLICAS Not enough replicas have acknowledged in time. What this connection has written since "
        "the last reply has been done, but may or may not survive the loss of this server.");
    session.closing = Closing::kAfterReply;
  }
  Flush(connection);
  return true;
}

void Core::KickJournal() {
  if (!replies_are_held()) return;
  const Ticks began = dispatcher_.clock().Now();
  services_.files->Kick();
  kicks_.last = dispatcher_.clock().Now();
  figures_.journal_ticks.Add(kicks_.last - began);
}

void Core::FlushHeld() {
  held_.LetGo([this] { return replies_are_held() ? services_.durability.released.load() : ~uint64_t{0}; },
              [this](Connection& connection) {
                // In its turn its next reply may be half written: the end of the turn sends both.
                if (!connection.in_turn()) Flush(connection);
              });
}

bool Core::Flush(Connection& connection) {
  Session& session = connection.session;
  // The data set has been saved for the last time: changes that this batch made after that are acknowledged
  // to nobody.
  if (stop_.load(std::memory_order_acquire)) [[unlikely]]
    return true;
  if (session.feed != nullptr) [[unlikely]]
    session.feed->MoveText();
  if (replies_are_held() && !session.replica() &&
      session.hold_until > services_.durability.released.load(std::memory_order_acquire) &&
      session.closing != Closing::kNow && HoldReplies(connection)) {
    if (connection.transport->unsent() && !SendUnsent(connection)) return false;
    Weigh(connection);
    return true;
  }
  connection.reply_peak = std::max(connection.reply_peak, session.output.fixed_pending());
  if (session.output.chunk_memory() != 0) {
    // The replies did not fit, or hold a large value that is sent from where it lies: a larger fixed part
    // would have been filled.
    connection.reply_peak = std::max(connection.reply_peak, session.output.fixed_capacity());
    if (!CheckOutputLimits(connection)) return false;
  }
  if (session.closing == Closing::kNow) {
    Close(connection);
    return false;
  }
  if (session.closing == Closing::kAfterReply) [[unlikely]]
    GiveUpShared(connection);  // a client with the last reply may at once look from another connection
  if (!session.output.empty()) {
    if (!WriteSome(connection)) {
      Close(connection);
      return false;
    }
  } else if (connection.transport->unsent() && !SendUnsent(connection)) {
    return false;
  }
  if (session.feed != nullptr && session.output.empty() && !connection.transport->unsent()) [[unlikely]] {
    if (!WriteFeed(connection) || session.closing == Closing::kNow) {
      Close(connection);
      return false;
    }
  }
  const bool fed = session.feed == nullptr || !session.feed->ready();
  const bool empty = fed && session.output.empty() && !connection.transport->unsent();
  if (empty && session.closing == Closing::kAfterReply) {
    Close(connection);
    return false;
  }
  if (!empty && !CheckOutputLimits(connection)) return false;
  Want(connection, (connection.wanted & net::kReadable) | (empty ? 0u : uint32_t{net::kWritable}));
  Weigh(connection);
  return true;
}

// Whether the client has kept too much unread for too long.
bool Core::OverOutputLimits(Connection& connection) {
  Session& session = connection.session;
  const bool over_feed = session.replica() && session.feed->over_limit();
  if (!over_feed && !dispatch::OverOutputLimits(session, services_.settings, dispatcher_.core().now))
    return false;
  services_.log.Warning(
      "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.", session.id,
      session.facts.peer);
  return true;
}

// False when the client was closed.
bool Core::CheckOutputLimits(Connection& connection) {
  if (!OverOutputLimits(connection)) return true;
  Close(connection);
  return false;
}

}  // namespace cinnabar::server
