// Packets of the cluster bus: what they hold, and their bytes. All numbers are big endian; the layout is that
// of Redis 7.0 with the extensions of 7.2, as it is on the wire. What the fields mean:
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/node_id.h"
#include "cluster/slots.h"

namespace cinnabar::cluster {

using Epoch = uint64_t;

enum class PacketType : uint16_t {
  kPing = 0,
  kPong = 1,
  kMeet = 2,  // a PING that asks to be let in
  kFail = 3,
  kPublish = 4,
  kVoteRequest = 5,
  kVote = 6,
  kUpdate = 7,
  kManualFailover = 8,
  kModule = 9,
  kPublishShard = 10,
};

// What a node is, in headers, gossip and the nodes file.
enum NodeFlag : uint16_t {
  kPrimaryFlag = 1,
  kReplicaFlag = 2,
  kMaybeFailedFlag = 4,  // "fail?": somebody cannot reach it
  kFailedFlag = 8,       // a majority agrees
  kMyselfFlag = 16,
  kHandshakeFlag = 32,
  kNoAddressFlag = 64,
  kMeetFlag = 128,        // was met; is sent MEET, not PING, while it is not connected to us. Never leaves us
  kMigrateToFlag = 256,   // has or had replicas: others may move to it
  kNoFailoverFlag = 512,  // a replica that does not want to be a primary
  kExtensionsFlag = 1024,  // knows extensions of 7.2; never leaves this node
};

// Bits of the header about the packet and its sender now.
enum PacketFlag : uint8_t {
  kPausedFlag = 1,         // the sender's clients are paused for a manual failover
  kForceVoteFlag = 2,      // vote even if the primary is not down
  kHasExtensionsFlag = 4,  // set also without any: the sender knows them
};

// What the sender knows about another node. Times in seconds since the Unix epoch; 0 is never.
struct Gossip {
  NodeId id;
  uint32_t ping_sent = 0;
  uint32_t pong_received = 0;
  std::string ip;
  uint16_t port = 0;
  uint16_t bus_port = 0;
  uint16_t flags = 0;
  uint16_t plain_port = 0;  // where the cluster speaks TLS: the port that does not

  bool operator==(const Gossip&) const = default;
};

// A node that is not to be let in again for a time.
struct Forgotten {
  NodeId id;
  uint64_t seconds = 0;

  bool operator==(const Forgotten&) const = default;
};

struct Packet {
  PacketType type = PacketType::kPing;

  // ---- the header: the sender, whatever the type
  NodeId sender;
  uint16_t flags = 0;  // NodeFlag
  uint8_t packet_flags = 0;
  bool state_ok = false;
  std::string ip;  // that it wants to be reached at; empty: where it comes from
  uint16_t port = 0;
  uint16_t bus_port = 0;
  uint16_t plain_port = 0;
  Epoch current_epoch = 0;
  Epoch config_epoch = 0;
  uint64_t offset = 0;  // of replication
  NodeId primary;       // whom it follows
  SlotSet slots;        // its own, or its primary's

  // ---- PING, PONG, MEET
  std::vector<Gossip> gossip;
  // Extensions. At most one of each leaves. 7.0 knows only the first, and complains in its log of each other
  // one.
  std::optional<std::string> hostname;
  std::optional<std::string> human_name;
  std::optional<NodeId> shard;
  std::vector<Forgotten> forgotten;

  // ---- FAIL: who. UPDATE: whose slots are these, since which epoch.
  NodeId about;
  Epoch about_epoch = 0;
  SlotSet about_slots;

  // ---- PUBLISH, PUBLISHSHARD
  std::string channel;
  std::string message;

  bool operator==(const Packet&) const = default;
};

// The bytes that a reader needs to know how long a packet is.
inline constexpr size_t kLengthBytes = 8;
// Of the header, which every packet has.
inline constexpr size_t kHeaderBytes = 2256;
// Nothing longer is believed: 1 GiB of message, and room for the rest.
inline constexpr size_t kPacketBytesMax = (size_t{1} << 30) + (64 << 10);

// The whole length of the packet that begins with these bytes. REQUIRES: at least kLengthBytes. The error:
// no packet begins so.
Result<size_t> PacketLength(std::string_view start);
// What the packet says that it is; whether that is true, Decode finds out. REQUIRES: at least kLengthBytes,
// and not less than what PacketLength says.
PacketType TypeOf(std::string_view packet);

// One allocation. Extensions set kHasExtensionsFlag by themselves. What another type would have is not looked
// at. REQUIRES: ids that are somebody's, but for `primary`; addresses and names as in names.h; at most 65,535
// gossip entries and as many extensions; channel and message together within kPacketBytesMax less 64 KiB.
std::string Encode(const Packet& packet);

// One whole packet. The error says what is wrong with it, without trust in any of it: each length is exact,
// each id is one, each address and name is as in names.h. A type that is not known is an error, too; so is a
// MODULE packet, because there are no modules. Extensions that are not known are skipped; of one that comes
// twice the later one is kept. One allocation for all gossip, and one for each address longer than IPv4.
Result<Packet> Decode(std::string_view bytes);

}  // namespace cinnabar::cluster
