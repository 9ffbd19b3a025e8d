// What the connections that the server makes have in common on their way to being open.
#pragma once

#include <string>
#include <string_view>

#include "net/transport.h"

namespace cinnabar::server {

// Of "10.0.0.1:6379" and "[fe80::1]:6379" what is before the port.
std::string_view WithoutPort(std::string_view name);

std::string WhyEnded(const net::Transport& transport, const net::Transfer& transfer);

// One step of a handshake on a connection that is there. The peer says nothing of its own before it is asked.
enum class Handshake : uint8_t { kDone, kMore, kFailed };
struct HandshakeStep {
  Handshake state = Handshake::kMore;
  std::string reason;  // of kFailed
};
HandshakeStep StepHandshake(net::Transport& transport);

}  // namespace cinnabar::server
