// SentinelLinks: the connections that a sentinel makes, to the servers that it watches and to its peers.
//
//   Connect -> look the name up -> connect -> TLS handshake -> Connected -> Send, Received ... -> Closed
//
// Nothing is answered from inside a call: what comes of Connect and Send is told later, from OnReady, OnTick
// or work that the loop was given. Close may come at any time, also while bytes of the same connection are
// being handled. What is sent leaves at the end of the turn.
//
// All of it on the loop's thread. Connect, Send and Close also on another one while that stands still.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/settings.h"
#include "protocol/reply.h"
#include "sentinel/port.h"
#include "server/link_loop.h"
#include "server/name_lookup.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {

// Who wants the connections. May call Connect, Send and Close in these.
class LinkListener {
 public:
  virtual ~LinkListener() = default;
  virtual void LinkConnected(sentinel::ConnectionId id, std::string_view local_ip) = 0;
  virtual void LinkReceived(sentinel::ConnectionId id, const protocol::Reply& reply) = 0;
  // It has ended, or was never made. Nothing else follows.
  virtual void LinkClosed(sentinel::ConnectionId id) = 0;
};

class SentinelLinks {
 public:
  using ConnectionId = sentinel::ConnectionId;
  static constexpr Millis kConnectPatience = 5000;  // for a name, and once more for the connection
  static constexpr size_t kUnsentBytesMax = 16 << 20;

  // All must outlive this.
  struct Parts {
    LinkLoop& loop;
    LinkListener& listener;
    const TlsContexts& tls;
    const config::Settings& settings;
    const Clock& clock;
    Logger& log;
    NameLookup::Resolver resolve = ResolveName;
  };
  explicit SentinelLinks(const Parts& parts);
  ~SentinelLinks();

  // A name that nobody can resolve now counts as what it meant last (Address::ip).
  void Connect(ConnectionId id, const sentinel::Address& address);
  // Does nothing unless it is connected.
  void Send(ConnectionId id, std::span<const std::string_view> words);
  // LinkClosed does not follow. What was sent leaves if the peer can take it at once.
  void Close(ConnectionId id);

  // About ten times a second: answers of lookups, and what has taken too long.
  void OnTick();

  size_t count() const { return links_.size(); }

 private:
  class Link;

  Millis Now() const { return parts_.clock.MonotonicNanos() / kNanosPerMilli; }
  std::shared_ptr<Link> Find(ConnectionId id) const;
  // Those that are looked up or connected. They stay good while the listener changes the others.
  std::vector<std::shared_ptr<Link>> Unfinished() const;
  void Begin(Link& link);
  void TakeLookups();
  void ConnectTo(Link& link, const std::string& numeric_host);
  void LookupFailed(Link& link, const std::string& reason);
  void OnReady(ConnectionId id);
  // Whether the connection is there, and its handshake done.
  bool FinishConnecting(Link& link);
  void ReadSome(Link& link);
  // Hands over the replies that are complete. False: the connection is gone.
  bool TakeReplies(Link& link);
  void FlushAll();
  void Flush(Link& link);
  // Writes what can be written now. False: it cannot be written to any more.
  bool WriteSome(Link& link);
  void Watch(Link& link);
  void Fail(Link& link, const std::string& reason);
  void Drop(Link& link);

  const Parts parts_;
  std::map<ConnectionId, std::shared_ptr<Link>> links_;
  std::map<std::string, NameLookup> lookups_;  // by name; those of links that are gone, too
  std::vector<ConnectionId> unflushed_;
  std::map<std::string, std::string> troubles_;  // why the last connection to an address ended, once logged
  const std::unique_ptr<char[]> room_;
};

}  // namespace cinnabar::server
