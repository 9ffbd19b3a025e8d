#include "server/listeners.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "net/socket.h"

namespace cinnabar::server {
namespace {

// Connections taken from one listener per turn of the core.
constexpr int kAcceptsPerTurn = 128;

constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";
constexpr std::string_view kProtectedMode =
    "-DENIED The server is running in protected mode because protected mode is enabled and no password is "
    "set "
    "for the default user. In this mode connections are only accepted from the loopback interface. To "
    "connect "
    "from other computers, do one of the following: 1) Send 'CONFIG SET protected-mode no' from the loopback "
    "interface, after making sure that the server is not reachable from the internet; use CONFIG REWRITE to "
    "make the change permanent. 2) Set protected-mode to no in the configuration file and restart. 3) Start "
    "the server with '--protected-mode no'. 4) Set a password for the default user.\r\n";

}  // namespace

class Listeners::Listener final : public ReadyHandler {
 public:
  Listener(Listeners& all, int fd, Description description)
      : all_(all), fd_(fd), description_(std::move(description)) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() override {
    if (registered_) all_.cores_[0]->RemoveListener(fd_, *this);
    close(fd_);
    if (description_.unix_socket) unlink(description_.address.c_str());
  }

  // Again has no effect.
  Status Register() {
    if (registered_) return {};
    TRY_STATUS(all_.cores_[0]->AddListener(fd_, *this));
    registered_ = true;
    return {};
  }
  void OnReady() override { all_.AcceptSome(fd_); }
  const Description& description() const { return description_; }

 private:
  Listeners& all_;
  const int fd_;
  const Description description_;
  bool registered_ = false;
};

Listeners::Listeners(const Cores& cores, ClientDirectory& clients, const config::Settings& settings,
                     Logger& log)
    : cores_(cores), clients_(clients), settings_(settings), log_(log) {}

Listeners::~Listeners() = default;

Result<Listeners::Opened> Listeners::OpenTcp(const config::Settings& settings) {
  Opened opened;
  if (settings.network.port == 0) return opened;
  const int port = static_cast<int>(settings.network.port);
  for (std::string address : settings.network.bind) {
    const bool optional = address.starts_with('-');
    if (optional) address.erase(0, 1);
    auto fd = net::ListenTcp(address, port, static_cast<int>(settings.network.tcp_backlog));
    if (fd) {
      opened.push_back(std::make_unique<Listener>(*this, *fd, Description{.address = address}));
      continue;
    }
    const int code = fd.error().code;
    if (optional && (code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT)) continue;
    log_.Warning("Warning: Could not create server TCP listening socket {}:{}: {}", address, port,
                 fd.error().message);
    return Fail(fmt::format("Failed listening on port {} (tcp), aborting.", port), code);
  }
  return opened;
}

Status Listeners::OpenUnix() {
  const config::Network& network = settings_.network;
  if (network.unixsocket.empty()) return {};
  const int fd = TRY(net::ListenUnix(network.unixsocket, static_cast<int>(network.unixsocketperm),
                                     static_cast<int>(network.tcp_backlog)));
  listeners_.push_back(
      std::make_unique<Listener>(*this, fd, Description{.address = network.unixsocket, .unix_socket = true}));
  return {};
}

Status Listeners::Open() {
  listeners_ = TRY(OpenTcp(settings_));
  if (Status opened = OpenUnix(); !opened) {
    return Fail(fmt::format("Failed opening Unix socket: {}", opened.error().message));
  }
  if (listeners_.empty()) return Fail("Configured to not listen anywhere, exiting.");
  return {};
}

Status Listeners::Register() {
  for (auto& listener : listeners_) TRY_STATUS(listener->Register());
  return {};
}

// The new sockets must open before the old ones close. With the port unchanged an address may appear on both
// sides, though: then the old ones go first, and are opened again if the new ones fail.
Status Listeners::Apply(const config::Settings& old, const config::Settings& now) {
  const bool same_port = old.network.port == now.network.port;
  if (same_port && old.network.bind == now.network.bind) return {};
  Opened kept, replaced;
  for (auto& listener : listeners_) {
    (listener->description().unix_socket ? kept : replaced).push_back(std::move(listener));
  }
  if (same_port) replaced.clear();
  auto opened = OpenTcp(now);
  const bool failed = !opened;
  if (failed && same_port) opened = OpenTcp(old);
  if (failed && !same_port) opened = std::move(replaced);
  if (opened) std::move(opened->begin(), opened->end(), std::back_inserter(kept));
  listeners_ = std::move(kept);
  TRY_STATUS(Register());
  if (!failed) return {};
  return Fail(same_port ? "Failed to bind to specified addresses."
                        : "Unable to listen on this port. Check server logs.");
}

void Listeners::Close() {
  listeners_.clear();
}

void Listeners::LogReady() const {
  for (const auto& listener : listeners_) {
    if (!listener->description().unix_socket) continue;
    log_.Notice("The server is now ready to accept connections at {}", listener->description().address);
  }
  if (settings_.network.port != 0) log_.Notice("Ready to accept connections tcp");
}

std::vector<Listeners::Description> Listeners::Describe() const {
  std::vector<Description> all;
  for (const auto& listener : listeners_) all.push_back(listener->description());
  return all;
}

void Listeners::AcceptSome(int fd) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Result<net::Accepted> accepted = net::Accept(fd);
    if (!accepted) {
      log_.Warning("Accepting client connection: {}", accepted.error().message);
      return;
    }
    if (accepted->fd < 0) return;
    if (Refuse(*accepted)) continue;
    ++figures_.received;
    if (!accepted->unix_socket) {
      net::SetNoDelay(accepted->fd);
      net::SetKeepAlive(accepted->fd, static_cast<int>(settings_.network.tcp_keepalive_seconds));
    }
    Place(std::move(*accepted));
  }
}

void Listeners::Place(net::Accepted accepted) {
  // The first client after a quiet time: all cores look at their clocks again.
  if (clients_.Count() == 0) {
    for (auto& core : cores_) core->Post([] {});
  }
  Core* target = cores_[0].get();
  for (auto& core : cores_) {
    if (core->connection_count() < target->connection_count()) target = core.get();
  }
  if (target == cores_[0].get()) {
    target->Adopt(std::move(accepted));
    return;
  }
  target->PostBetween([target, connection = std::move(accepted)]() mutable {
    target->Adopt(std::move(connection));
    return Core::Handled::kYes;
  });
}

// True when the connection was turned away (and closed).
bool Listeners::Refuse(const net::Accepted& accepted) {
  std::string_view refusal;
  if (clients_.Count() >= static_cast<size_t>(settings_.clients.maxclients)) {
    refusal = kTooManyClients;
  } else if (settings_.network.protected_mode && settings_.security.requirepass.empty() &&
             !accepted.unix_socket && !accepted.loopback) {
    refusal = kProtectedMode;
  }
  if (refusal.empty()) return false;
  ++figures_.rejected;
  const std::unique_ptr<net::Transport> transport = clients_.MakeTransport(accepted.fd);
  std::string text(refusal);
  const iovec part{text.data(), text.size()};
  [[maybe_unused]] const net::Transfer sent = transport->Write({&part, 1});
  return true;
}

}  // namespace cinnabar::server
