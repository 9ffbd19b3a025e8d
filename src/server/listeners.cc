#include "server/listeners.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "net/socket.h"

namespace cinnabar::server {
namespace {

// Connections taken from one listener per turn of the core.
constexpr int kAcceptsPerTurn = 128;

constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";
constexpr std::string_view kTooManyInCluster = "-ERR max number of clients + cluster connections reached\r\n";
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
    if (description_.kind == Kind::kUnix) unlink(description_.address.c_str());
  }

  // Again has no effect.
  Status Register() {
    if (registered_) return {};
    TRY_STATUS(all_.cores_[0]->AddListener(fd_, *this));
    registered_ = true;
    return {};
  }
  void OnReady() override { all_.AcceptSome(fd_, description_.kind); }
  const Description& description() const { return description_; }
  // Whoever connects from now on is taken for one of this kind.
  void Become(Kind kind) { description_.kind = kind; }
  bool At(const Description& other) const {
    return description_.port == other.port && description_.address == other.address;
  }

 private:
  Listeners& all_;
  const int fd_;
  Description description_;
  bool registered_ = false;
};

Listeners::Listeners(const Cores& cores, ClientDirectory& clients, dispatch::AccessControl& access,
                     const config::Settings& settings, Logger& log)
    : cores_(cores), clients_(clients), access_(access), settings_(settings), log_(log) {}

Listeners::~Listeners() = default;

std::string_view Listeners::NameOf(Kind kind) {
  switch (kind) {
    case Kind::kTcp:
      return "tcp";
    case Kind::kTls:
      return "tls";
    case Kind::kUnix:
      return "unix";
  }
  return "tcp";
}

std::vector<Listeners::Wish> Listeners::Wishes(const config::Settings& settings) {
  std::vector<Wish> wishes;
  for (const auto& [kind, port] :
       {std::pair(Kind::kTcp, settings.network.port), std::pair(Kind::kTls, settings.tls.port)}) {
    if (port == 0) continue;
    for (const std::string& address : settings.network.bind) {
      const bool optional = address.starts_with('-');
      wishes.push_back({.description = {.kind = kind,
                                        .address = address.substr(optional ? 1 : 0),
                                        .port = static_cast<int>(port)},
                        .optional = optional});
    }
  }
  return wishes;
}

Result<Listeners::Opened> Listeners::OpenMissing(const std::vector<Wish>& wishes, const Opened& have) {
  Opened opened;
  for (const auto& [wanted, optional] : wishes) {
    if (std::ranges::any_of(have, [&](const auto& each) { return each->At(wanted); })) continue;
    auto fd = net::ListenTcp(wanted.address, wanted.port, static_cast<int>(settings_.network.tcp_backlog));
    if (fd) {
      opened.push_back(std::make_unique<Listener>(*this, *fd, wanted));
      continue;
    }
    const int code = fd.error().code;
    if (optional && (code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT)) continue;
    log_.Warning("Warning: Could not create server TCP listening socket {}:{}: {}", wanted.address,
                 wanted.port, fd.error().message);
    return Fail(fmt::format("Failed listening on port {} ({}), aborting.", wanted.port, NameOf(wanted.kind)),
                code);
  }
  return opened;
}

Status Listeners::OpenUnix() {
  const config::Network& network = settings_.network;
  if (network.unixsocket.empty()) return {};
  const int fd = TRY(net::ListenUnix(network.unixsocket, static_cast<int>(network.unixsocketperm),
                                     static_cast<int>(network.tcp_backlog)));
  listeners_.push_back(
      std::make_unique<Listener>(*this, fd, Description{.kind = Kind::kUnix, .address = network.unixsocket}));
  return {};
}

Status Listeners::Open() {
  listeners_ = TRY(OpenMissing(Wishes(settings_), {}));
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

// A socket that stays where it is goes on, even if it changes its kind (two ports that are exchanged). The
// new ones open before the others close. A new one may need the place of an old one, though (an address of a
// port where all were listened on): then the old ones go first, and are opened again if the new ones fail.
Status Listeners::Apply(const config::Settings& old, const config::Settings& now) {
  const bool same_ports = old.network.port == now.network.port && old.tls.port == now.tls.port;
  if (same_ports && old.network.bind == now.network.bind) return {};
  constexpr std::string_view kBadPort = "Unable to listen on this port. Check server logs.";
  if (now.network.port != 0 && now.network.port == now.tls.port) return Fail(std::string(kBadPort));
  const std::vector<Wish> wishes = Wishes(now);
  Opened kept, replaced;
  for (auto& listener : listeners_) {
    const bool stays =
        listener->description().kind == Kind::kUnix ||
        std::ranges::any_of(wishes, [&](const Wish& each) { return listener->At(each.description); });
    (stays ? kept : replaced).push_back(std::move(listener));
  }
  auto opened = OpenMissing(wishes, kept);
  if (!opened && opened.error().code == EADDRINUSE && !replaced.empty()) {
    replaced.clear();
    opened = OpenMissing(wishes, kept);
  }
  const bool failed = !opened;
  const std::vector<Wish>& effective = failed ? Wishes(old) : wishes;
  if (failed) {
    std::ranges::move(replaced, std::back_inserter(kept));
    opened = OpenMissing(effective, kept);  // what had to go first
  }
  if (opened) std::ranges::move(*opened, std::back_inserter(kept));
  listeners_ = std::move(kept);
  for (auto& listener : listeners_) {
    const auto wish =
        std::ranges::find_if(effective, [&](const Wish& each) { return listener->At(each.description); });
    if (wish != effective.end()) listener->Become(wish->description.kind);
  }
  TRY_STATUS(Register());
  if (!failed) return {};
  return Fail(std::string(same_ports ? "Failed to bind to specified addresses." : kBadPort));
}

void Listeners::Close() {
  listeners_.clear();
}

void Listeners::LogReady() const {
  for (const auto& listener : listeners_) {
    if (listener->description().kind != Kind::kUnix) continue;
    log_.Notice("The server is now ready to accept connections at {}", listener->description().address);
  }
  if (settings_.network.port != 0) log_.Notice("Ready to accept connections tcp");
  if (settings_.tls.port != 0) log_.Notice("Ready to accept connections tls");
}

std::vector<Listeners::Description> Listeners::Describe() const {
  std::vector<Description> all;
  for (const auto& listener : listeners_) all.push_back(listener->description());
  return all;
}

// A handshake costs a thousand times what a request does: of those who come at once, few begin in one turn.
int Listeners::AcceptsPerTurn(Kind kind) const {
  if (kind != Kind::kTls) return kAcceptsPerTurn;
  return static_cast<int>(settings_.network.max_new_tls_connections_per_cycle) *
         static_cast<int>(cores_.size());
}

void Listeners::AcceptSome(int fd, Kind kind) {
  for (int left = AcceptsPerTurn(kind); left > 0; --left) {
    Result<net::Accepted> accepted = net::Accept(fd);
    if (!accepted) {
      log_.Warning("Accepting client connection: {}", accepted.error().message);
      return;
    }
    if (accepted->fd < 0) return;
    accepted->tls = kind == Kind::kTls;
    if (const std::string_view refusal = RefusalOf(*accepted); !refusal.empty()) {
      Refuse(std::move(*accepted), refusal);
      continue;
    }
    ++figures_.received;
    if (!accepted->unix_socket) {
      net::SetNoDelay(accepted->fd);
      net::SetKeepAlive(accepted->fd, static_cast<int>(settings_.network.tcp_keepalive_seconds));
    }
    Place(std::move(*accepted), {});
  }
}

void Listeners::Place(net::Accepted accepted, std::string_view farewell) {
  // The first client after a quiet time: all cores look at their clocks again.
  if (clients_.Count() == 0) {
    for (auto& core : cores_) core->Post([] {});
  }
  Core* target = cores_[0].get();
  for (auto& core : cores_) {
    if (core->connection_count() < target->connection_count()) target = core.get();
  }
  if (target == cores_[0].get()) {
    target->Adopt(std::move(accepted), farewell);
    return;
  }
  target->PostBetween([target, farewell, connection = std::move(accepted)]() mutable {
    target->Adopt(std::move(connection), farewell);
    return Core::Handled::kYes;
  });
}

std::string_view Listeners::RefusalOf(const net::Accepted& accepted) const {
  if (clients_.Count() + others_() >= static_cast<size_t>(settings_.clients.maxclients))
    return settings_.cluster.enabled ? kTooManyInCluster : kTooManyClients;
  if (settings_.network.protected_mode && access_.users().default_user()->needs_no_password() &&
      !accepted.unix_socket && !accepted.loopback) {
    return kProtectedMode;
  }
  return {};
}

// Over TLS nothing can be said before the handshake. Where there is no room for a client it is not begun; a
// stranger gets his answer behind it.
void Listeners::Refuse(net::Accepted accepted, std::string_view refusal) {
  ++figures_.rejected;
  if (accepted.tls && refusal == kProtectedMode) return Place(std::move(accepted), refusal);
  net::SocketTransport transport(accepted.fd);
  if (accepted.tls) return;
  std::string text(refusal);
  const iovec part{text.data(), text.size()};
  [[maybe_unused]] const net::Transfer sent = transport.Write({&part, 1});
}

}  // namespace cinnabar::server
