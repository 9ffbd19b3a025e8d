// What a Sentinel knows: the primaries that it watches, their replicas, and the other sentinels (peers) that
// watch them too. Plain data; sentinel.h says what is done with it.
//
// Times are those of Sentinel::now(), in milliseconds: monotonic, and far from 0, which means never or long
// ago.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sentinel/port.h"

namespace cinnabar::sentinel {

using Epoch = uint64_t;
using InstanceId = uint64_t;

struct Primary;

// What an answer is awaited for.
enum class Awaited : uint8_t {
  kNothing,  // an answer of which nothing is expected
  kPing,
  kInfo,
  kPublish,
  kVote,         // SENTINEL IS-MASTER-DOWN-BY-ADDR
  kReconfigure,  // EXEC of a transaction that makes it follow somebody
};

struct Connection {
  ConnectionId id = 0;
  bool open = false;
  Millis since = 0;  // it is open, or was begun
  // Messages only:
  Millis activity = 0;    // something came last
  int introductions = 0;  // answers that come before that of SUBSCRIBE
};

// The two connections to a node: one for commands, one that listens to hello messages (primaries and
// replicas only). Peers that are the same process for several primaries share one.
struct Link {
  Connection commands;
  Connection messages;
  struct Expected {
    Awaited what;
    InstanceId instance;
    Millis since;
  };
  std::deque<Expected> expected;  // answers, in the order in which they come
  std::string local_ip;           // our end
  Millis last_try = 0;            // to connect
  Millis last_available = 0;      // a good answer to PING, or the beginning
  Millis last_pong = 0;           // any answer to PING, or the beginning
  Millis last_ping = 0;
  Millis unanswered_since = 0;  // the first PING since the last good answer; 0: all were answered

  bool connected() const { return commands.open; }
};

enum class Kind : uint8_t { kPrimary, kReplica, kPeer };

// As events, flags and descriptions call it.
inline std::string_view KindName(Kind kind) {
  constexpr std::string_view kNames[] = {"master", "slave", "sentinel"};
  return kNames[static_cast<size_t>(kind)];
}

enum class Role : uint8_t { kPrimary, kReplica };

// How far a replica is on its way to a new primary.
enum class Reconfiguration : uint8_t { kNone, kSent, kInProgress, kDone };

struct Instance {
  Kind kind = Kind::kPrimary;
  InstanceId id = 0;
  Primary* primary = nullptr;  // of whom; a primary: itself
  std::string name;            // primary: as configured; replica: host:port; peer: its id
  std::string run_id;          // empty: not known
  Address address;
  std::shared_ptr<Link> link;

  bool down = false;  // subjectively
  Millis down_since = 0;
  Millis last_published = 0;

  // ---- servers (primaries and replicas): what INFO said
  std::string info;       // the last text
  Millis info_at = 0;     // when it came
  Millis info_asked = 0;  // when it was last asked for
  Role role = Role::kPrimary;
  Millis role_since = 0;  // the role is reported
  bool rebooted = false;  // with another run id, and has not answered PING with PONG since
  Millis rebooted_since = 0;
  bool script_kill_sent = false;
  Millis told = 0;  // whom to follow
  uint64_t replication_offset = 0;

  virtual ~Instance() = default;

  // Whether a connection that should be there is missing.
  bool disconnected() const { return !link->commands.open || (kind != Kind::kPeer && !link->messages.open); }
};

struct Replica : Instance {
  int64_t priority = 100;
  bool announced = true;  // replica-announced
  bool link_to_primary_is_up = false;
  Millis link_down = 0;  // for how long its link to its primary is down; negative: since it was started
  std::string followed_host;
  int followed_port = 0;
  Millis followed_since = 0;  // it says that it follows this one
  Reconfiguration reconfiguration = Reconfiguration::kNone;
  Millis reconfiguration_since = 0;
  bool promoted = false;
};

struct Peer : Instance {
  bool says_down = false;  // that the primary is down
  Millis last_hello = 0;
  Millis last_vote_answer = 0;
  Millis last_vote_asked = 0;
  std::string leader;  // whom it voted for
  Epoch leader_epoch = 0;
};

enum class FailoverState : uint8_t {
  kNone,
  kWaitStart,
  kSelectReplica,
  kSendReplicaOfNoOne,
  kWaitPromotion,
  kReconfigureReplicas,
  kUpdateConfig,
};

// One attempt to fail over, for people who ask why (SENTINEL FAILOVERS).
struct FailoverRecord {
  Millis wall_at = 0;  // it began
  Millis began = 0;
  Epoch epoch = 0;
  bool forced = false;
  std::string outcome;             // the event that ended it; empty: under way
  std::vector<std::string> notes;  // in order, each with milliseconds since the beginning
};

struct Primary : Instance {
  // ---- configuration
  int64_t quorum = 0;
  Millis down_after = 0;
  Millis failover_timeout = 0;
  Millis reboot_down_after = 0;  // master-reboot-down-after-period; 0: a reboot alone is no failure
  int64_t parallel_syncs = 1;
  std::string auth_user;
  std::string auth_password;
  std::string notification_script;
  std::string reconfiguration_script;
  std::map<std::string, std::string> renamed_commands;  // by the names that Redis gives them, in lower case
  Epoch config_epoch = 0;
  uint64_t known_offset = 0;  // of its stream, as it said last
  Millis last_good = 0;       // when it gave a good answer to PING last

  std::map<std::string, std::unique_ptr<Replica>> replicas;  // by name
  std::map<std::string, std::unique_ptr<Peer>> peers;        // by id

  // ---- agreement
  bool objectively_down = false;
  Millis objectively_down_since = 0;
  std::string leader;      // whom we voted for
  Epoch leader_epoch = 0;  // and when

  // ---- failover
  bool failing_over = false;
  bool forced = false;  // SENTINEL FAILOVER
  FailoverState failover_state = FailoverState::kNone;
  Millis failover_state_since = 0;
  Millis failover_start = 0;  // of the last attempt, ours or somebody's whom we voted for; may be ahead
  Millis failover_began = 0;  // the one that is under way
  Epoch failover_epoch = 0;
  Millis delay_logged_for = 0;  // failover_start when the delay was last logged
  Millis start_at = 0;          // not before, so that not all sentinels begin at once
  Millis retry_at = 0;          // an election without a winner, or without anybody to promote, may be
                                // repeated from then on
  InstanceId promoted = 0;
  std::deque<FailoverRecord> history;

  Replica* FindReplica(InstanceId wanted) const {
    for (const auto& [name, replica] : replicas) {
      if (replica->id == wanted) return replica.get();
    }
    return nullptr;
  }
};

}  // namespace cinnabar::sentinel
