// ClientDirectory: the connected clients of all cores. It is what commands see of other clients
// (dispatch::Clients), and what a core sees of the clients of other cores (CoreClients).
//
// A client's session belongs to its core. Others look at it or change it with the world stopped, or ask its
// core through the mailbox; each function says which of the two it is where the ports do not.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "dispatch/services.h"
#include "pubsub/channels.h"
#include "server/client_memory.h"
#include "server/core.h"

namespace cinnabar::server {

class Following;
class Replicas;
class TlsContexts;

// Makes the transport of an accepted connection, below TLS, and takes its descriptor over. On any core's
// thread.
using TransportFactory = std::function<std::unique_ptr<net::Transport>(int fd)>;

class ClientDirectory final : public dispatch::Clients, public CoreClients {
 public:
  // All must outlive this; `cores` must not change any more once one of them runs. An empty factory makes
  // plain sockets.
  ClientDirectory(const Cores& cores, pubsub::Channels& channels, ClientMemory& client_memory,
                  const config::Settings& settings, Logger& log, const TlsContexts& tls,
                  TransportFactory make_transport);

  // Replication's part: replicas' connections, and our own to a primary, which clients see like a client.
  // Before the cores run; both must outlive the connections.
  void SetReplication(Replicas& replicas, Following& following) {
    replicas_ = &replicas;
    following_ = &following;
  }

  // dispatch::Clients:
  void ForEach(const std::function<void(dispatch::Session&)>& visit) override;
  dispatch::Session* Find(uint64_t id) override;
  void Close(dispatch::Session& session, const dispatch::Session* caller) override;
  void Wake(dispatch::Session& session) override;
  void Resume(std::shared_ptr<dispatch::BlockedCall> call) override;
  size_t Count() const override;
  std::string Describe(const dispatch::Session& session) const override;
  void FeedMonitors(std::string line) override;

  // CoreClients:
  uint64_t NextClientId() override { return next_client_id_.fetch_add(1, std::memory_order_relaxed); }
  const Cores& cores() const override { return cores_; }
  std::unique_ptr<net::Transport> MakeTransport(const net::Accepted& accepted) override;
  void OnClosed(dispatch::Session& session) override;
  void OnGone(dispatch::Session& session) override;
  void EvictClients(int core) override;
  void Dismiss(dispatch::Session& session) override;
  void OnLongCommandEnded() override;

 private:
  void EvictUntilWithinLimit(int core);
  Core& CoreOf(const dispatch::Session& session) { return *cores_[static_cast<size_t>(session.facts.core)]; }

  const Cores& cores_;
  pubsub::Channels& channels_;
  ClientMemory& client_memory_;
  const config::Settings& settings_;
  Logger& log_;
  const TlsContexts& tls_;
  const TransportFactory make_transport_;
  std::atomic<uint64_t> next_client_id_{1};
  Replicas* replicas_ = nullptr;
  Following* following_ = nullptr;
};

}  // namespace cinnabar::server
