// TlsTransport: TLS as a layer over another transport. OpenSSL sees no socket: what it reads and writes goes
// through a BIO of our own, and from there through `below`.
//
//   Read:  below --at most one read for 16 kB of room--> OpenSSL (whole records are opened) --> room
//   Write: small parts joined to 16 kB --> OpenSSL (a record each) --> up to 64 kB at once --> below
//                                                                  `--> outgoing_: what below does not take
//
// - A record is read ahead with what follows it. Whole records that did not fit into the room are `pending`;
// a
//   part of a record is not, since the rest of it will be an event.
// - OpenSSL never hears that it cannot write: what below does not take is kept, and Write takes nothing new
//   before that is gone. So a write is never repeated, and no more is kept than one Write has made, or the
//   answers to one Read.
// - Until the handshake is done the transport waits for its peer (`awaits_peer`). A client has its first
//   message `unsent` from the start.
//
// A transport that has failed stays so; `problem` says why.
#pragma once

#include <memory>
#include <string>

#include "net/tls_context.h"
#include "net/transport.h"

struct bio_st;
struct ssl_st;

namespace cinnabar::net {

class TlsTransport final : public Transport {
 public:
  // Begins the handshake of the context's side. Writes nothing below yet.
  TlsTransport(std::unique_ptr<Transport> below, std::shared_ptr<const TlsContext> context);
  // Tells the peer of the end as far as below takes it at once.
  ~TlsTransport() override;

  Transfer Read(std::span<char> room) override;
  Transfer Write(std::span<const iovec> parts) override;
  void Shutdown() override { below_->Shutdown(); }
  int fd() const override { return below_->fd(); }
  std::string_view problem() const override { return problem_; }

  // The handshake is done.
  bool established() const { return established_; }
  bool resumed() const;

 private:
  struct Free {
    void operator()(ssl_st* connection) const;
  };
  // The BIO that OpenSSL reads from and writes to.
  struct Pipe;

  enum class Next : uint8_t { kGoesOn, kLater, kEnded, kFailed };
  Next Shake();
  Transfer ReadRecords(std::span<char> room);
  // What the result of a call of OpenSSL means that has not succeeded.
  Next Explain(int result);
  Next FailWith(std::string problem, int error);
  Transfer Failed() const { return {.outcome = Transfer::Outcome::kFailed, .error = error_}; }
  // False: the connection has failed.
  bool SendCollected();
  bool SendOutgoing();
  // `moved` is what has become of a Read or Write, before it is known whether all could be sent.
  Transfer Ended(Transfer moved);

  const std::unique_ptr<Transport> below_;
  const std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<ssl_st, Free> connection_;
  std::string outgoing_;
  std::string problem_;
  size_t reads_left_ = 0;  // how often the call that runs may still read below
  int error_ = 0;          // not 0: failed
  int below_error_ = 0;
  bool established_ = false;
  bool below_ended_ = false;
};

}  // namespace cinnabar::net
