// The listeners: opening them at start-up, and moving them when CONFIG SET changes port or bind.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "server/server.h"

namespace cinnabar::server {

Result<std::vector<Server::Listener>> Server::OpenTcp(const config::Settings& settings) {
  std::vector<Listener> opened;
  if (settings.network.port == 0) return opened;
  const int port = static_cast<int>(settings.network.port);
  for (std::string address : settings.network.bind) {
    const bool optional = address.starts_with('-');
    if (optional) address.erase(0, 1);
    auto fd = net::ListenTcp(address, port, static_cast<int>(settings.network.tcp_backlog));
    if (fd) {
      opened.push_back({.fd = *fd, .address = address, .unix_socket = false});
      continue;
    }
    const int code = fd.error().code;
    if (optional && (code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT)) continue;
    log_.Warning("Warning: Could not create server TCP listening socket {}:{}: {}", address, port,
                 fd.error().message);
    for (Listener& listener : opened) close(listener.fd);
    return Fail(fmt::format("Failed listening on port {} (tcp), aborting.", port), code);
  }
  return opened;
}

Status Server::OpenUnix() {
  const config::Network& network = settings_.network;
  if (network.unixsocket.empty()) return {};
  int fd = TRY(net::ListenUnix(network.unixsocket, static_cast<int>(network.unixsocketperm),
                               static_cast<int>(network.tcp_backlog)));
  listeners_.push_back(std::make_unique<Listener>(Listener{fd, network.unixsocket, true}));
  return {};
}

Status Server::Listen() {
  for (Listener& listener : TRY(OpenTcp(settings_))) {
    listeners_.push_back(std::make_unique<Listener>(std::move(listener)));
  }
  if (Status opened = OpenUnix(); !opened) {
    return Fail(fmt::format("Failed opening Unix socket: {}", opened.error().message));
  }
  if (listeners_.empty()) return Fail("Configured to not listen anywhere, exiting.");
  return {};
}

Status Server::RegisterListeners() {
  for (auto& listener : listeners_) TRY_STATUS(cores_[0]->AddListener(listener->fd, listener.get()));
  return {};
}

void Server::CloseListener(Listener& listener) {
  if (listener.fd < 0) return;
  if (!cores_.empty()) cores_[0]->RemoveListener(listener.fd);
  close(listener.fd);
  listener.fd = -1;
  if (listener.unix_socket) unlink(listener.address.c_str());
}

// CONFIG SET port / bind: the new sockets must open before the old ones close.
Status Server::ApplyListening(const config::Settings& old, const config::Settings& now) {
  const bool same_port = old.network.port == now.network.port;
  if (same_port && old.network.bind == now.network.bind) return {};
  std::vector<std::unique_ptr<Listener>> kept;
  std::vector<std::unique_ptr<Listener>> replaced;
  for (auto& listener : listeners_) (listener->unix_socket ? kept : replaced).push_back(std::move(listener));
  // With the port unchanged an address may appear on both sides: the old socket has to go first.
  if (same_port) {
    for (auto& listener : replaced) CloseListener(*listener);
  }
  auto opened = OpenTcp(now);
  if (!opened && same_port) {
    if (auto again = OpenTcp(old)) {
      for (Listener& listener : *again) kept.push_back(std::make_unique<Listener>(std::move(listener)));
    }
  } else if (!opened) {
    for (auto& listener : replaced) kept.push_back(std::move(listener));
  } else {
    for (auto& listener : replaced) CloseListener(*listener);
    for (Listener& listener : *opened) kept.push_back(std::make_unique<Listener>(std::move(listener)));
  }
  listeners_ = std::move(kept);
  for (auto& listener : listeners_) {
    Status added = cores_[0]->AddListener(listener->fd, listener.get());
    if (!added && added.error().code != EEXIST) return added;
  }
  if (!opened) {
    return Fail(same_port ? "Failed to bind to specified addresses."
                          : "Unable to listen on this port. Check server logs.");
  }
  UpdateTitle();
  return {};
}

int Server::port() const {
  return static_cast<int>(settings_.network.port);
}

}  // namespace cinnabar::server
