// The classes of clients that CLIENT LIST, CLIENT KILL and the output buffer limits tell apart.
#pragma once

#include <optional>
#include <string_view>

#include "dispatch/args.h"
#include "dispatch/session.h"

namespace cinnabar::commands {

enum class ClientType : uint8_t { kNormal, kReplica, kPubsub, kMaster };

// The class of this name, in any case; none if there is no such class.
inline std::optional<ClientType> ClientTypeNamed(std::string_view name) {
  using dispatch::SameWord;
  if (SameWord(name, "NORMAL")) return ClientType::kNormal;
  if (SameWord(name, "SLAVE") || SameWord(name, "REPLICA")) return ClientType::kReplica;
  if (SameWord(name, "PUBSUB")) return ClientType::kPubsub;
  if (SameWord(name, "MASTER")) return ClientType::kMaster;
  return std::nullopt;
}

// A client in MONITOR mode is a normal one.
inline ClientType TypeOf(const dispatch::Session& session) {
  if (session.upstream) return ClientType::kMaster;
  if (session.replica()) return ClientType::kReplica;
  return session.subscribed() ? ClientType::kPubsub : ClientType::kNormal;
}

}  // namespace cinnabar::commands
