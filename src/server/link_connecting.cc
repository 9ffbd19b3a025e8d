#include "server/link_connecting.h"

#include <cstring>

namespace cinnabar::server {

std::string_view WithoutPort(std::string_view name) {
  name = name.substr(0, name.rfind(':'));
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return name;
}

std::string WhyEnded(const net::Transport& transport, const net::Transfer& transfer) {
  if (!transport.problem().empty()) return std::string(transport.problem());
  return transfer.outcome == net::Transfer::Outcome::kFailed ? strerror(transfer.error)
                                                             : "the peer has closed it";
}

HandshakeStep StepHandshake(net::Transport& transport) {
  net::Transfer step{.outcome = net::Transfer::Outcome::kLater};
  if (transport.unsent()) step = transport.Write({});
  if (step.outcome == net::Transfer::Outcome::kLater && transport.awaits_peer()) {
    char none = 0;
    step = transport.Read({&none, 1});
  }
  if (step.outcome != net::Transfer::Outcome::kLater)
    return {.state = Handshake::kFailed, .reason = WhyEnded(transport, step)};
  const bool more = transport.awaits_peer() || transport.unsent();
  return {.state = more ? Handshake::kMore : Handshake::kDone, .reason = {}};
}

}  // namespace cinnabar::server
