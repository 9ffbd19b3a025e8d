// What others say about others, and who is down: suspected by one (kMaybeFailedFlag), agreed on by a majority
// of the primaries (kFailedFlag).
#include <fmt/format.h>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

constexpr Millis kReportLife = 2;   // in node timeouts
constexpr Millis kFailureLife = 2;  // in node timeouts: how long nobody has taken over
constexpr Millis kClockSkewMax = 500;

}  // namespace

void Cluster::TakeGossip(const Incoming& in) {
  for (const Gossip& gossip : in.packet.gossip) {
    const auto found = nodes_.find(gossip.id);
    if (found == nodes_.end()) {
      AddFromGossip(gossip);
    } else if (found->second.get() != myself_ && found->second.get() != in.sender) {
      TakeGossipAbout(in, gossip, *found->second);
    }
  }
}

void Cluster::TakeGossipAbout(const Incoming& in, const Gossip& gossip, Node& node) {
  constexpr uint16_t kDown = kMaybeFailedFlag | kFailedFlag;
  const bool said_down = (gossip.flags & kDown) != 0;
  if (in.sender->votes()) {
    if (said_down) {
      if (node.reports.insert_or_assign(in.sender->id, now()).second) {
        port_.Log(LogLevel::kVerbose, fmt::format("Node {} reported node {} as not reachable.",
                                                  in.sender->id.text(), node.id.text()));
      }
      MarkFailedIfAgreed(node);
    } else if (node.reports.erase(in.sender->id) != 0) {
      port_.Log(LogLevel::kVerbose, fmt::format("Node {} reported node {} is back online.",
                                                in.sender->id.text(), node.id.text()));
    }
  }
  // If it has answered somebody, we need not ask it so soon.
  if (!said_down && node.ping_sent == 0 && node.reports.empty()) {
    const Millis seen = FromWall(static_cast<int64_t>(gossip.pong_received) * kMillisPerSecond);
    if (seen <= now() + kClockSkewMax && seen > node.pong_received) node.pong_received = seen;
  }
  // We cannot reach it, but somebody can: at another address, perhaps.
  const bool moved = node.ip != gossip.ip || node.port != gossip.port || node.bus_port != gossip.bus_port;
  if (!node.Is(kDown | kNoAddressFlag) || said_down || (gossip.flags & kNoAddressFlag) != 0 || !moved ||
      gossip.ip.empty())
    return;
  CloseOut(node);
  node.ip = gossip.ip;
  node.port = gossip.port;
  node.bus_port = gossip.bus_port;
  node.plain_port = gossip.plain_port;
  node.flags = static_cast<uint16_t>(node.flags & ~kNoAddressFlag);
  Changed(Change::kMinor);
  routing_changed_ = true;
}

// A node that we know has met it, so it belongs to us; its name is certain, not only its address.
void Cluster::AddFromGossip(const Gossip& gossip) {
  if ((gossip.flags & (kNoAddressFlag | kHandshakeFlag)) != 0 || gossip.ip.empty() || gossip.id.empty())
    return;
  if (IsBanned(gossip.id)) return;
  constexpr uint16_t kBelieved = kPrimaryFlag | kReplicaFlag | kNoFailoverFlag;
  Node& node = AddNode(gossip.id, gossip.flags & kBelieved);
  node.ip = gossip.ip;
  node.port = gossip.port;
  node.bus_port = gossip.bus_port;
  node.plain_port = gossip.plain_port;
  Changed(Change::kVital);  // who knows nobody is a cluster of its own
}

size_t Cluster::FailureReports(Node& node) {
  const Millis life = options_.node_timeout * kReportLife;
  std::erase_if(node.reports, [&](const auto& one) { return now() - one.second > life; });
  return node.reports.size();
}

void Cluster::MarkFailed(Node& node) {
  node.flags = static_cast<uint16_t>((node.flags & ~kMaybeFailedFlag) | kFailedFlag);
  node.failed_at = now();
  Changed(Change::kMinor);
  state_due_ = true;
}

// We must not reach it ourselves; then the others' words count.
void Cluster::MarkFailedIfAgreed(Node& node) {
  if (!node.Is(kMaybeFailedFlag) || node.failed()) return;
  const size_t agree = FailureReports(node) + (myself_->votes() ? 1 : 0);
  if (agree < static_cast<size_t>(Majority())) return;
  port_.Log(LogLevel::kNotice, fmt::format("Marking node {} as failing (quorum reached).", node.id.text()));
  MarkFailed(node);
  // Everybody who can hear us has to see it so, too.
  SendFail(node);
}

// It answers again. A primary whose slots nobody has taken over for so long is let back in with them.
void Cluster::ClearFailureIfDue(Node& node) {
  const bool harmless = node.is_replica() || node.slot_count == 0;
  const bool waited = now() - node.failed_at > options_.node_timeout * kFailureLife;
  if (!harmless && !waited) return;
  const std::string_view why = !harmless
                                   ? "is reachable again and nobody is serving its slots after some time"
                               : node.is_replica() ? "replica is reachable again"
                                                   : "master without slots is reachable again";
  port_.Log(LogLevel::kNotice, fmt::format("Clear FAIL state for node {}: {}.", node.id.text(), why));
  node.flags = static_cast<uint16_t>(node.flags & ~kFailedFlag);
  Changed(Change::kMinor);
  state_due_ = true;
}

}  // namespace cinnabar::cluster
