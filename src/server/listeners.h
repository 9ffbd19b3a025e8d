// Listeners: the sockets on which clients arrive. They are opened at start and when CONFIG SET changes port
// or bind; each new connection goes to the core with the fewest.
//
// On core 0's thread, which also accepts; Open before the cores run, Apply and Close with the world stopped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/settings.h"
#include "server/client_directory.h"
#include "server/core.h"

namespace cinnabar::server {

class Listeners {
 public:
  // All must outlive this.
  Listeners(const Cores& cores, ClientDirectory& clients, const config::Settings& settings, Logger& log);
  ~Listeners();

  // Opens what the settings ask for. The error is the text for the log.
  Status Open();
  // Lets core 0 accept.
  Status Register();
  // Puts another port or other addresses into effect. With an error all is as it was.
  Status Apply(const config::Settings& old, const config::Settings& now);
  // Nobody can connect any more.
  void Close();
  void LogReady() const;

  struct Description {
    std::string address;  // or path
    bool unix_socket = false;
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

  Result<Opened> OpenTcp(const config::Settings& settings);
  Status OpenUnix();
  void AcceptSome(int fd);
  void Place(net::Accepted accepted);
  bool Refuse(const net::Accepted& accepted);

  const Cores& cores_;
  ClientDirectory& clients_;
  const config::Settings& settings_;
  Logger& log_;
  Opened listeners_;
  Figures figures_;
};

}  // namespace cinnabar::server
