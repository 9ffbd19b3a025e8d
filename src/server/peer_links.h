// PeerLinks: the connections that commands make to other servers (dispatch/peers.h), and those that are kept
// for the next command.
//
//   Open -> a kept one | look the name up -> connect -> TLS handshake (`tls-cluster`)
//   Keep -> for ten seconds at most -> closed by Cron, or by Open when the peer has ended it
//
// Every core keeps its own, by place and user, used by its thread alone. Their number is read by others.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/peers.h"
#include "dispatch/services.h"
#include "server/name_lookup.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {

class PeerLinks final : public dispatch::Peers {
 public:
  static constexpr Millis kKeptMillis = 10 * kMillisPerSecond;
  static constexpr size_t kKeptMax = 64;  // on each core

  // All must outlive this.
  PeerLinks(dispatch::Services& services, const TlsContexts& tls, int cores,
            NameLookup::Resolver resolve = ResolveName);
  ~PeerLinks() override;

  Opened Open(dispatch::Call& call, const Place& place, Millis timeout, Which which) override;
  void Keep(dispatch::Call& call, std::unique_ptr<dispatch::PeerLink> link) override;
  size_t kept() const override { return kept_.load(std::memory_order_relaxed); }

  // Closes those that were kept long enough. The core's own thread, several times a second.
  void Cron(int core);

 private:
  class Link;
  // The oldest of a place comes first.
  using Kept = std::multimap<std::string, std::unique_ptr<Link>>;

  std::string NameOf(const Place& place) const;
  std::unique_ptr<Link> TakeKept(int core, const std::string& name);
  void Forget(Kept& kept, Kept::iterator which);
  // The numeric address; empty: there is none, or no answer in time.
  std::string Resolve(dispatch::Call& call, const std::string& host, Nanos until);
  Refusal FinishConnecting(dispatch::Call& call, Link& link, Nanos until);

  dispatch::Services& services_;
  const TlsContexts& tls_;
  const NameLookup::Resolver resolve_;
  std::vector<Kept> kept_by_core_;
  std::atomic<size_t> kept_{0};
};

}  // namespace cinnabar::server
