#include "server/client_directory.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "commands/connection/client_line.h"
#include "config/settings.h"
#include "dispatch/blocking.h"
#include "server/following.h"
#include "server/replicas.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {
namespace {

TransportFactory OrPlain(TransportFactory factory) {
  if (factory) return factory;
  return [](int fd) -> std::unique_ptr<net::Transport> { return std::make_unique<net::SocketTransport>(fd); };
}

}  // namespace

ClientDirectory::ClientDirectory(const Cores& cores, pubsub::Channels& channels, ClientMemory& client_memory,
                                 const config::Settings& settings, Logger& log, const TlsContexts& tls,
                                 TransportFactory make_transport)
    : cores_(cores),
      channels_(channels),
      client_memory_(client_memory),
      settings_(settings),
      log_(log),
      tls_(tls),
      make_transport_(OrPlain(std::move(make_transport))) {}

std::unique_ptr<net::Transport> ClientDirectory::MakeTransport(const net::Accepted& accepted) {
  std::unique_ptr<net::Transport> transport = make_transport_(accepted.fd);
  return accepted.tls ? tls_.OverAccepted(std::move(transport)) : std::move(transport);
}

void ClientDirectory::ForEach(const std::function<void(dispatch::Session&)>& visit) {
  std::vector<dispatch::Session*> sessions;
  for (auto& core : cores_) {
    core->RefreshFacts();
    core->ForEachConnection([&](Connection& connection) {
      if (!connection.doomed) sessions.push_back(&connection.session);
    });
  }
  if (following_ != nullptr && following_->session() != nullptr) sessions.push_back(following_->session());
  std::sort(sessions.begin(), sessions.end(), [](auto* a, auto* b) { return a->id < b->id; });
  for (dispatch::Session* session : sessions) visit(*session);
}

dispatch::Session* ClientDirectory::Find(uint64_t id) {
  for (auto& core : cores_) {
    if (Connection* connection = core->Find(id); connection != nullptr && !connection->doomed) {
      return &connection->session;
    }
  }
  const bool upstream = following_ != nullptr && following_->session() != nullptr;
  return upstream && following_->session()->id == id ? following_->session() : nullptr;
}

void ClientDirectory::Close(dispatch::Session& session, const dispatch::Session* caller) {
  if (&session == caller) {
    session.closing = dispatch::Closing::kAfterReply;
    return;
  }
  Dismiss(session);
}

void ClientDirectory::OnClosed(dispatch::Session& session) {
  if (session.subscribed()) channels_.UnsubscribeAll(*session.subscriber);
}

void ClientDirectory::OnGone(dispatch::Session& session) {
  if (session.feed != nullptr) replicas_->OnGone(session);
}

// A client that another one closes listens no more at once, although its core is yet to hear of it.
void ClientDirectory::Dismiss(dispatch::Session& session) {
  if (session.upstream) return following_->Disconnect();
  OnClosed(session);
  // Its client hears of it before the caller has the reply.
  CoreOf(session).Doom(session.id);
  Wake(session);
}

void ClientDirectory::Wake(dispatch::Session& session) {
  Core& core = CoreOf(session);
  core.Post([&core, id = session.id] { core.Attend(id); });
}

void ClientDirectory::Resume(std::shared_ptr<dispatch::BlockedCall> call) {
  Core& core = *cores_[static_cast<size_t>(call->core)];
  core.Post([&core, call = std::move(call)] { core.Resume(*call); });
}

size_t ClientDirectory::Count() const {
  size_t sum = 0;
  for (auto& core : cores_) sum += core->connection_count();
  return sum;
}

std::string ClientDirectory::Describe(const dispatch::Session& session) const {
  return commands::ClientLine(
      session, {.compat = settings_.general.compat_version,
                .now = cores_[static_cast<size_t>(session.facts.core)]->dispatcher().core().now});
}

void ClientDirectory::FeedMonitors(std::string line) {
  auto shared = std::make_shared<const std::string>(std::move(line));
  for (auto& core : cores_) {
    Core* target = core.get();
    target->PostBetween([target, shared] {
      bool busy = false;
      target->ForEachConnection([&](Connection& connection) {
        busy = busy || (connection.session.monitor && connection.in_turn());
      });
      if (busy) return Core::Handled::kLater;
      std::vector<uint64_t> fed;
      target->ForEachConnection([&](Connection& connection) {
        if (!connection.session.monitor) return;
        connection.session.output.Append(*shared);
        fed.push_back(connection.session.id);
      });
      for (uint64_t id : fed) target->Attend(id);
      return Core::Handled::kYes;
    });
  }
}

void ClientDirectory::OnLongCommandEnded() {
  for (auto& core : cores_) {
    core->PostBetween([target = core.get()] {
      target->ResumePostponed();
      return Core::Handled::kYes;
    });
  }
}

}  // namespace cinnabar::server
