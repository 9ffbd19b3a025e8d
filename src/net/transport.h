// Transport: how the bytes of one connection come in and leave. Its owner moves bytes through it and asks the
// reactor for the readiness that it needs; nobody else reads or writes the socket.
//
//   reactor: readable -> Read until kLater, or once and again at the next event (level-triggered)
//   reactor: writable -> Write until all is gone, or kLater
//
// A plain socket is the simple case. A transport may also be a layer that changes the bytes (TLS), or one
// whose transfers the kernel completes on its own (io_uring). An owner that keeps three rules serves them
// all:
//   1. `pending`: Read has taken more from below than it has handed out. No event will tell of these bytes:
//      the owner reads again without one.
//   2. `unsent`: the transport itself holds bytes that have to leave (an answer in a handshake, a record that
//      the socket took a part of). The owner waits for kWritable and calls Write, with no parts if it has
//      none, and closes in order only when nothing is unsent.
//   3. `awaits_peer`: Write takes nothing before Read has been given more (a handshake). Waiting for
//      kWritable would be a loop without progress.
// `Interest` puts 2 and 3 into one answer. All three change only in Read and Write.
//
// One owner's thread at a time; Shutdown may be called by another one while the owner stands still.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "net/reactor.h"

namespace cinnabar::net {

// What became of one Read or Write.
struct Transfer {
  enum class Outcome : uint8_t {
    kMoved,   // `bytes` of them, at least one
    kLater,   // none: wait for an event. After a Read nothing is pending
    kEnded,   // Read: the peer has said that it sends nothing more
    kFailed,  // the connection is of no use any more: `error` is the errno
  };
  size_t bytes = 0;
  Outcome outcome = Outcome::kMoved;
  int error = 0;
};

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  // Closes the descriptor. A layer may say goodbye first, if that needs no wait; otherwise nothing more is
  // sent.
  virtual ~Transport() = default;

  // REQUIRES: room is not empty. What is pending comes first, and then nothing is read from below.
  virtual Transfer Read(std::span<char> room) = 0;
  // Takes a prefix of the parts, in order, which may end inside one of them. What it has taken leaves in that
  // order, though not at once when it is `unsent` afterwards; a transport bounds how much that can be.
  virtual Transfer Write(std::span<const iovec> parts) = 0;
  // The peer finds the connection closed, in both directions; Read and Write fail or end from now on. The
  // descriptor stays.
  virtual void Shutdown() = 0;
  // To be given to a reactor.
  virtual int fd() const = 0;
  // Why a layer has failed, for the log; empty where `error` says it all. Good until the next call.
  virtual std::string_view problem() const { return {}; }

  size_t pending() const { return pending_; }
  bool unsent() const { return unsent_; }
  bool awaits_peer() const { return awaits_peer_; }
  // The events to wait for, when the owner waits for `wanted` (bits of net::Interest).
  uint32_t Interest(uint32_t wanted) const {
    if (unsent_) return wanted | kWritable;
    return awaits_peer_ ? wanted & ~uint32_t{kWritable} : wanted;
  }

 protected:
  size_t pending_ = 0;
  bool unsent_ = false;
  bool awaits_peer_ = false;
};

// A non-blocking stream socket as it is. Takes the descriptor over.
class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(int fd) : fd_(fd) {}
  ~SocketTransport() override;

  Transfer Read(std::span<char> room) override;
  Transfer Write(std::span<const iovec> parts) override;
  void Shutdown() override;
  int fd() const override { return fd_; }

 private:
  const int fd_;
};

}  // namespace cinnabar::net
