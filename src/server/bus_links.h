// BusLinks: the connections of the cluster bus, in both directions.
//
//   bus port -> accept -> (TLS handshake) -> LinkAccepted  -> packets -> LinkReceived ... -> LinkClosed
//   Connect  -> (look the name up) -> connect -> (TLS handshake) -> LinkConnected -> packets -> LinkReceived
//   ... -> LinkClosed Send     -> queue of shared packets -> socket, at the end of the turn
//
// Packets are cut out of the bytes here, by the length at their beginning; what is in them is the machine's
// (cluster/cluster.h). A peer whose bytes are no packets is closed, and so is one that sends nothing for
// long.
//
// Nothing is answered from inside a call: what comes of Connect and Send is told later. Close may come at any
// time. It all goes on in the turns that a long command gives to others, so that a node that runs one is not
// taken for dead.
//
// On the loop's thread. Connect, Send, Close and the figures also on another one while that stands still.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/port.h"
#include "config/settings.h"
#include "server/link_loop.h"
#include "server/name_lookup.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {

// Who speaks over the links. May call Connect, Send and Close in these.
class BusUser {
 public:
  virtual ~BusUser() = default;
  // Somebody has come. Returns the number of the new link.
  virtual cluster::LinkId LinkAccepted(std::string_view peer_ip) = 0;
  virtual void LinkConnected(cluster::LinkId link) = 0;
  // One whole packet, good during the call. `local_ip`: where the peer has reached us.
  virtual void LinkReceived(cluster::LinkId link, std::string_view packet, std::string_view local_ip) = 0;
  // It has ended, or was never made. Nothing else follows.
  virtual void LinkClosed(cluster::LinkId link) = 0;
};

class BusLinks {
 public:
  using LinkId = cluster::LinkId;
  // All must outlive this.
  struct Parts {
    LinkLoop& loop;
    BusUser& user;
    const TlsContexts& tls;
    const config::Settings& settings;
    const Clock& clock;
    Logger& log;
    NameLookup::Resolver resolve = ResolveName;
  };
  explicit BusLinks(const Parts& parts);
  ~BusLinks();

  // Binds the bus port at all addresses of `bind`. The error is the text for the log.
  Status Open(int port);
  // Lets the loop accept.
  Status Register();
  // Nobody can connect any more.
  void StopListening();

  // To an address, or to what somebody has announced as his: a name.
  void Connect(LinkId id, const std::string& ip, int port);
  void Send(LinkId id, std::shared_ptr<const std::string> packet);
  // LinkClosed does not follow.
  void Close(LinkId id);

  // About ten times a second: answers of lookups, and what has taken too long.
  void OnTick();

  // ---- figures
  size_t count() const { return links_.size(); }
  cluster::ClusterPort::SendBuffer SendBufferOf(LinkId id) const;
  // What all links hold: what waits to be sent, and packets that have not come whole yet.
  size_t memory() const;
  // Links that were closed because more waited for them than cluster-link-sendbuf-limit allows.
  uint64_t over_limit() const { return over_limit_; }

 private:
  class Link;
  class Listener;

  Millis Now() const { return parts_.clock.MonotonicNanos() / kNanosPerMilli; }
  Millis Patience() const;
  std::shared_ptr<Link> Find(LinkId id) const;
  void AcceptSome(int listener);
  void Begin(Link& link);
  void TakeLookup(Link& link);
  void ConnectTo(Link& link, const std::string& address);
  void OnReady(LinkId id);
  // Whether the connection is there, and its handshake done.
  bool FinishConnecting(Link& link);
  void ReadSome(Link& link);
  // Hands over the packets that are complete. False: the connection is gone.
  bool TakePackets(Link& link);
  void FlushAll();
  // Writes what can be written now. False: it cannot be written to any more.
  bool WriteSome(Link& link);
  void Watch(Link& link);
  void Fail(Link& link, std::string_view reason);
  void Drop(Link& link);

  const Parts parts_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<LinkId, std::shared_ptr<Link>> links_;
  std::vector<LinkId> unflushed_;
  uint64_t over_limit_ = 0;
  const std::unique_ptr<char[]> room_;
};

}  // namespace cinnabar::server
