// Listeners: the sockets on which clients arrive. They are opened at start and when CONFIG SET changes port,
// tls-port or bind; each new connection goes to the core with the fewest.
//
// On core 0's thread, which also accepts; Open before the cores run, Apply and Close with the world stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "config/settings.h"
#include "dispatch/access_control.h"
#include "server/client_directory.h"
#include "server/core.h"

namespace cinnabar::server {

class Listeners {
 public:
  // All must outlive this.
  Listeners(const Cores& cores, ClientDirectory& clients, dispatch::AccessControl& access,
            const config::Settings& settings, Logger& log);
  ~Listeners();

  // Opens what the settings ask for. The error is the text for the log.
  Status Open();
  // Lets core 0 accept.
  Status Register();
  // Puts other ports or other addresses into effect. With an error all is as it was.
  Status Apply(const config::Settings& old, const config::Settings& now);
  // Nobody can connect any more.
  void Close();
  void LogReady() const;
  // Connections that are no clients', and that maxclients counts too: those of the cluster bus. Asked on core
  // 0.
  void CountToo(std::function<size_t()> others) { others_ = std::move(others); }

  enum class Kind : uint8_t { kTcp, kTls, kUnix };
  static std::string_view NameOf(Kind kind);
  struct Description {
    Kind kind = Kind::kTcp;
    std::string address;  // or path
    int port = 0;         // none for a Unix socket
    bool operator==(const Description&) const = default;
  };
  // Those that are open.
  std::vector<Description> Describe() const;
  struct Figures {
    uint64_t received = 0;
    uint64_t rejected = 0;
  };
  const Figures& figures() const { return figures_; }
  void ResetFigures() { figures_ = {}; }

 private:
  // Closes its socket when it goes.
  class Listener;
  using Opened = std::vector<std::unique_ptr<Listener>>;

  // What can be opened or not, as the machine has the address or has not.
  struct Wish {
    Description description;
    bool optional = false;
  };
  static std::vector<Wish> Wishes(const config::Settings& settings);
  // Opens what is not among `have` yet.
  Result<Opened> OpenMissing(const std::vector<Wish>& wishes, const Opened& have);
  Status OpenUnix();
  int AcceptsPerTurn(Kind kind) const;
  void AcceptSome(int fd, Kind kind);
  void Place(net::Accepted accepted, std::string_view farewell);
  // What is to be said to it instead of serving it; empty: it is served.
  std::string_view RefusalOf(const net::Accepted& accepted) const;
  void Refuse(net::Accepted accepted, std::string_view refusal);

  const Cores& cores_;
  ClientDirectory& clients_;
  dispatch::AccessControl& access_;
  const config::Settings& settings_;
  Logger& log_;
  Opened listeners_;
  std::function<size_t()> others_ = [] { return size_t{0}; };
  Figures figures_;
};

}  // namespace cinnabar::server
