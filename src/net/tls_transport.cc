#include "net/tls_transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cinnabar::net {

using Outcome = Transfer::Outcome;

namespace {

constexpr size_t kRecordBytes = 16 * 1024;
// Records of so many bytes leave with one write below.
constexpr size_t kWriteBytes = 64 * 1024;
// A peer that makes us answer (it asks for new keys, or for another handshake) without reading the answers.
constexpr size_t kOutgoingBytesMax = 256 * 1024;

// What OpenSSL writes during one call of the transport.
std::string& Collected() {
  static thread_local std::string bytes;
  return bytes;
}

// Takes the bytes of the parts one record after the other.
class Gatherer {
 public:
  explicit Gatherer(std::span<const iovec> parts) : parts_(parts) {}

  // The next bytes, at most a record; empty at the end. They are copied if they come from several parts.
  std::string_view Next() {
    SkipEmpty();
    if (parts_.empty()) return {};
    const size_t left = parts_.front().iov_len - offset_;
    if (left >= kRecordBytes || parts_.size() == 1)
      return {static_cast<const char*>(parts_.front().iov_base) + offset_, std::min(left, kRecordBytes)};
    static thread_local std::unique_ptr<char[]> room{new char[kRecordBytes]};
    size_t size = 0;
    size_t offset = offset_;
    for (const iovec& part : parts_) {
      const size_t bytes = std::min(part.iov_len - offset, kRecordBytes - size);
      if (bytes != 0) std::memcpy(room.get() + size, static_cast<const char*>(part.iov_base) + offset, bytes);
      size += bytes;
      offset = 0;
      if (size == kRecordBytes) break;
    }
    return {room.get(), size};
  }

  void Skip(size_t bytes) {
    while (bytes != 0) {
      const size_t step = std::min(bytes, parts_.front().iov_len - offset_);
      offset_ += step;
      bytes -= step;
      SkipEmpty();
    }
  }

 private:
  void SkipEmpty() {
    while (!parts_.empty() && offset_ == parts_.front().iov_len) {
      parts_ = parts_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const iovec> parts_;
  size_t offset_ = 0;  // in the first one
};

}  // namespace

struct TlsTransport::Pipe {
  static TlsTransport& Of(BIO* bio) { return *static_cast<TlsTransport*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* room, size_t size, size_t* read) {
    TlsTransport& all = Of(bio);
    BIO_clear_retry_flags(bio);
    *read = 0;
    if (all.below_ended_ || all.below_error_ != 0) return 0;
    if (all.reads_left_ == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    --all.reads_left_;
    const Transfer got = all.below_->Read({room, size});
    switch (got.outcome) {
      case Outcome::kMoved:
        if (got.bytes < size) all.reads_left_ = 0;  // there is no more, most likely
        *read = got.bytes;
        return 1;
      case Outcome::kLater:
        all.reads_left_ = 0;
        BIO_set_retry_read(bio);
        return 0;
      case Outcome::kEnded:
        all.below_ended_ = true;
        return 0;
      case Outcome::kFailed:
        all.below_error_ = got.error != 0 ? got.error : EIO;
        return 0;
    }
    return 0;
  }

  static int Write(BIO* bio, const char* bytes, size_t size, size_t* written) {
    BIO_clear_retry_flags(bio);
    Collected().append(bytes, size);
    *written = size;
    return 1;
  }

  static long Control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return Of(bio).below_ended_ ? 1 : 0;
    return 0;
  }

  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "transport");
      CHECK(made != nullptr);
      BIO_meth_set_read_ex(made, Read);
      BIO_meth_set_write_ex(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return method;
  }
};

void TlsTransport::Free::operator()(ssl_st* connection) const {
  SSL_free(connection);
}

TlsTransport::TlsTransport(std::unique_ptr<Transport> below, std::shared_ptr<const TlsContext> context)
    : below_(std::move(below)), context_(std::move(context)), connection_(SSL_new(context_->native())) {
  BIO* const bio = BIO_new(Pipe::Method());
  CHECK(connection_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(connection_.get(), bio, bio);
  awaits_peer_ = true;
  if (context_->side() == TlsSide::kServer) {
    SSL_set_accept_state(connection_.get());
    return;
  }
  SSL_set_connect_state(connection_.get());
  ERR_clear_error();
  Shake();
  outgoing_ = Collected();
  Collected().clear();
  unsent_ = !outgoing_.empty();
}

TlsTransport::~TlsTransport() {
  if (!established_ || error_ != 0) return;
  ERR_clear_error();
  SSL_shutdown(connection_.get());
  SendCollected();
  ERR_clear_error();
}

bool TlsTransport::resumed() const {
  return SSL_session_reused(connection_.get()) != 0;
}

TlsTransport::Next TlsTransport::FailWith(std::string problem, int error) {
  problem_ = std::move(problem);
  error_ = error;
  return Next::kFailed;
}

TlsTransport::Next TlsTransport::Explain(int result) {
  const int code = SSL_get_error(connection_.get(), result);
  if (code == SSL_ERROR_WANT_READ) return Next::kLater;
  if (below_error_ != 0) return FailWith(strerror(below_error_), below_error_);
  if (code == SSL_ERROR_ZERO_RETURN || (below_ended_ && code == SSL_ERROR_SYSCALL)) {
    if (established_) return Next::kEnded;
    return FailWith("the peer has ended in the middle of the handshake", ECONNRESET);
  }
  char text[256] = "the TLS layer has failed";
  if (const unsigned long first = ERR_get_error(); first != 0) ERR_error_string_n(first, text, sizeof text);
  ERR_clear_error();
  return FailWith(text, EPROTO);
}

TlsTransport::Next TlsTransport::Shake() {
  const int result = SSL_do_handshake(connection_.get());
  if (result != 1) return Explain(result);
  established_ = true;
  return Next::kGoesOn;
}

Transfer TlsTransport::ReadRecords(std::span<char> room) {
  ssl_st* const connection = connection_.get();
  size_t total = 0;
  Next next = Next::kGoesOn;
  while (total < room.size()) {
    size_t got = 0;
    const int result = SSL_read_ex(connection, room.data() + total, room.size() - total, &got);
    if (result != 1) {
      next = Explain(result);
      break;
    }
    total += got;
    if (reads_left_ == 0 && SSL_has_pending(connection) == 0) break;
  }
  // What comes behind the bytes of this call, be it the end, is told by the next one, without an event.
  if (next == Next::kGoesOn || next == Next::kLater) {
    const auto opened = static_cast<size_t>(SSL_pending(connection));
    const bool unopened = total == room.size() && SSL_has_pending(connection) != 0;
    pending_ = std::max<size_t>(opened, unopened ? 1 : 0);
  } else if (total != 0) {
    pending_ = 1;
  }
  if (total != 0) return {.bytes = total};
  if (next == Next::kEnded) return {.outcome = Outcome::kEnded};
  return next == Next::kFailed ? Failed() : Transfer{.outcome = Outcome::kLater};
}

Transfer TlsTransport::Read(std::span<char> room) {
  if (error_ != 0) {
    pending_ = 0;
    return Failed();
  }
  ERR_clear_error();
  // What is pending here comes first, and then nothing is read below, unless it is pending there.
  const bool from_below = pending_ == 0 || below_->pending() != 0;
  reads_left_ = from_below ? 1 + room.size() / kRecordBytes : 0;
  pending_ = 0;
  Transfer moved{.outcome = Outcome::kLater};
  Next next = established_ ? Next::kGoesOn : Shake();
  if (next == Next::kGoesOn) moved = ReadRecords(room);
  if (next == Next::kFailed) moved = Failed();
  return Ended(moved);
}

Transfer TlsTransport::Write(std::span<const iovec> parts) {
  if (error_ != 0) return Failed();
  if ((!outgoing_.empty() || below_->unsent()) && !SendOutgoing()) return Ended(Failed());
  if (!established_ || !outgoing_.empty()) return Ended({.outcome = Outcome::kLater});
  ERR_clear_error();
  Gatherer gatherer(parts);
  size_t taken = 0;
  while (taken < kWriteBytes) {
    const std::string_view next = gatherer.Next();
    if (next.empty()) break;
    size_t written = 0;
    const int result = SSL_write_ex(connection_.get(), next.data(), next.size(), &written);
    if (result != 1) {
      if (Explain(result) == Next::kFailed) return Ended(Failed());
      break;
    }
    taken += written;
    gatherer.Skip(written);
  }
  const Transfer moved = Ended(taken == 0 ? Transfer{.outcome = Outcome::kLater} : Transfer{.bytes = taken});
  return error_ != 0 ? Failed() : moved;
}

Transfer TlsTransport::Ended(Transfer moved) {
  if (!SendCollected() && moved.outcome != Outcome::kMoved) moved = Failed();
  if (error_ != 0 && moved.outcome == Outcome::kMoved) pending_ = 1;
  if (below_->pending() != 0) pending_ += below_->pending();
  unsent_ = error_ == 0 && (!outgoing_.empty() || below_->unsent());
  awaits_peer_ = !established_ || below_->awaits_peer();
  return moved;
}

bool TlsTransport::SendCollected() {
  std::string& collected = Collected();
  if (collected.empty()) return error_ == 0;
  if (!outgoing_.empty()) {
    outgoing_.append(collected);
    collected.clear();
    return SendOutgoing();
  }
  iovec part{collected.data(), collected.size()};
  const Transfer sent = below_->Write({&part, 1});
  const size_t bytes = sent.outcome == Outcome::kMoved ? sent.bytes : 0;
  if (sent.outcome == Outcome::kFailed && error_ == 0) FailWith(strerror(sent.error), sent.error);
  if (bytes < collected.size()) outgoing_.assign(collected, bytes);
  collected.clear();
  return error_ == 0;
}

bool TlsTransport::SendOutgoing() {
  const iovec part{outgoing_.data(), outgoing_.size()};
  const Transfer sent = below_->Write({&part, outgoing_.empty() ? 0u : 1u});
  if (sent.outcome == Outcome::kFailed) {
    if (error_ == 0) FailWith(strerror(sent.error), sent.error);
    return false;
  }
  if (sent.outcome == Outcome::kMoved) outgoing_.erase(0, sent.bytes);
  if (outgoing_.empty()) {
    outgoing_.shrink_to_fit();
  } else if (outgoing_.size() > kOutgoingBytesMax && error_ == 0) {
    FailWith("the peer does not read the answers of the TLS layer", ENOBUFS);
  }
  return error_ == 0;
}

}  // namespace cinnabar::net
