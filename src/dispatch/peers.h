// Peers: connections to other servers, for a command that waits for their answers (MIGRATE).
//
//   Open -> Send, Receive ... -> Keep (for the next command to the same place), or thrown away
//
// Each step waits for the network, at most as long as it is told; other clients have their turns meanwhile if
// the command lets them (LongCommands::WaitForPeer). Once a step has not ended well the connection is of no
// use any more.
//
// Used on the thread of the core whose command it is; a connection stays with its core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "protocol/reply.h"

namespace cinnabar::dispatch {

class Call;

class PeerLink {
 public:
  virtual ~PeerLink() = default;

  enum class Step : uint8_t {
    kDone,
    kTimedOut,
    kFailed,  // the peer has closed it, or what it says is no reply
  };
  // Everything has been handed to the system. The time counts for each kPieceBytes of it.
  virtual Step Send(Call& call, std::string_view bytes, Millis timeout) = 0;
  virtual Step Receive(Call& call, protocol::Reply& reply, Millis timeout) = 0;
  static constexpr size_t kPieceBytes = 64 * 1024;

  // Whether it was kept since an earlier command: the peer may have closed it meanwhile.
  bool kept = false;
  // The database that the peer uses for what comes over it; -1: nobody knows.
  int64_t database = -1;
};

class Peers {
 public:
  virtual ~Peers() = default;

  // Where a connection leads. Connections of one user are not given to another.
  struct Place {
    std::string_view host;  // a name or an address
    std::string_view port;
    std::string_view user;
    std::string_view password;
  };
  enum class Refusal : uint8_t {
    kNone,
    kUnreachable,  // nobody knows the name, nothing leads there, or the handshake of TLS has failed
    kRefused,      // nobody listens there, or nobody has answered in time
  };
  struct Opened {
    std::unique_ptr<PeerLink> link;  // null with a refusal
    Refusal refusal = Refusal::kNone;
  };
  // A connection that was kept, or else a new one; kNew: never one that was kept.
  enum class Which : uint8_t { kAny, kNew };
  virtual Opened Open(Call& call, const Place& place, Millis timeout, Which which) = 0;
  // For a next command to the same place, some seconds long. REQUIRES: no reply of it is outstanding.
  virtual void Keep(Call& call, std::unique_ptr<PeerLink> link) = 0;

  // How many are kept, on all cores. Any thread.
  virtual size_t kept() const = 0;
};

}  // namespace cinnabar::dispatch
