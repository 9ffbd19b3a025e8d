// Routing: which keys this node of a cluster serves, and where the others are (DESIGN §15).
//
// Plain data, made by the server from what the cluster machine knows, whenever that changes. Handlers never
// see it: one check in the gates asks it (router.h).
//
// Immutable once it is published. Published with the world stopped, read by every core inside a batch.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

namespace cinnabar::dispatch {

struct Services;

struct Routing {
  static constexpr int kSlots = 16384;
  static constexpr uint16_t kNobody = 0xffff;

  // Where clients find a node.
  struct Node {
    // As cluster-preferred-endpoint-type says: an address, a host name, "?", or nothing: where the client is
    // connected already.
    std::string endpoint;
    int port = 0;      // for clients that came without TLS
    int tls_port = 0;  // and for those with
  };
  std::vector<Node> nodes;
  std::array<uint16_t, kSlots> owner{};         // of each slot, an index of `nodes`, or kNobody
  std::array<uint16_t, kSlots> migrating_to{};  // of a slot of ours that is on its way; else kNobody
  std::bitset<kSlots> importing;                // slots of others that are on their way to us
  uint16_t myself = kNobody;
  uint16_t primary = kNobody;  // whom this node follows; kNobody: it is a primary

  bool healthy = false;  // cluster_state:ok

  // Slots whose keys this node serves without a further look: its own, which go nowhere, in a healthy
  // cluster. Follows from the rest.
  std::bitset<kSlots> served;

  // Whether this node follows the owner of the slot.
  bool follows_owner(int slot) const {
    return primary != kNobody && owner[static_cast<size_t>(slot)] == primary;
  }
};

// From now on the gates ask this table; null: there is no cluster. Clients that wait for keys of slots that
// are not served any more are sent away, and subscriptions to shard channels end where neither this node nor
// its primary owns the slot. The one before is not used any more. REQUIRES: the world is stopped; the table
// outlives its use.
void PublishRouting(Services& services, const Routing* fresh);

}  // namespace cinnabar::dispatch
