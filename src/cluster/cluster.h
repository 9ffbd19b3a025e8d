// Cluster: one node of a Redis Cluster: who is there, who has which slot, who is down, who takes over. The
// front door of this folder.
//
// Sans-I/O: what happens comes in through the functions below, what is to be done goes out through
// ClusterPort. The protocol is that of Redis 7.0 with what 7.2 adds:
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/; what that does not say was seen
// on the wire.
//
//   cluster.cc      ticks, nodes and their links, the nodes file
//   packets_in.cc   what packets mean
//   packets_out.cc  what is sent, and to whom
//   gossip.cc       what others say about others; who is down
//   ownership.cc    slots and epochs; the state of the cluster
//   election.cc     votes, asked for and given; a replica becomes the primary
//   manual.cc       failovers that somebody asked for; replicas that move to primaries without any
//   changes.cc      what CLUSTER MEET, ADDSLOTS, SETSLOT … change
//
// What a node must never forget (epochs, votes, slots, role, who is there) is saved and synced before a
// packet leaves that depends on it (DESIGN §15). While that fails the node is mute, and says that the cluster
// is down.
//
// Threads: one, the owner's. Time comes from the Clock.
//
// Size: one protocol machine. What happens to it, what it knows and what people may ask of it each is a
// list of small functions; the rest is spread over the files above.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "cluster/node.h"
#include "cluster/nodes_file.h"
#include "cluster/packet.h"
#include "cluster/port.h"
#include "cluster/slots.h"

namespace cinnabar::cluster {

// What the config says. May be changed at any time; call Cluster::OptionsChanged then.
struct Options {
  Millis node_timeout = 15'000;
  int64_t replica_validity_factor = 10;  // 0: any replica may take over, however old its data
  int64_t migration_barrier = 1;
  bool require_full_coverage = true;
  bool allow_replica_migration = true;
  bool replica_no_failover = false;
  Millis replica_ping_period = 10'000;  // repl-ping-replica-period
  NodesForm form = NodesForm::kOld;

  // Where this node is reached. `port` is the one that the cluster's nodes and clients use; with TLS that is
  // the TLS port, and `plain_port` is the other one.
  int port = 6379;
  int plain_port = 0;
  int bus_port = 16379;
  std::string announce_ip;  // empty: what others see
  std::string hostname;
  std::string human_name;
};

// What CLUSTER INFO counts.
struct Counts {
  std::array<uint64_t, 11> sent{};  // by PacketType
  std::array<uint64_t, 11> received{};
  uint64_t refused = 0;  // not a packet, or from a version that is not spoken
};

// What DEBUG breaks, for tests.
struct Faults {
  int64_t dropped_type = -1;  // packets of this PacketType are not heard; -1: all are
  bool drop_closes = false;   // and their link is closed
};

class Cluster {
 public:
  struct Setup {
    ClusterPort& port;
    const Clock& clock;
    uint64_t seed = 0;
    Options options;
  };
  explicit Cluster(const Setup& setup);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // ---- the nodes file
  // What the file says; call once, before Start, or not at all for a new node.
  Status Load(std::string_view text);
  std::string FileText() const;
  // Makes an id if there is none. The error: the file cannot be written.
  Status Start();
  // The keyspace is loaded. A primary claims slots that have keys and no owner; slots of others of which it
  // has keys count as being imported, so that redis-cli --cluster fix finds them.
  void DataLoaded();

  // ---- what happens
  // About ten times a second.
  void OnTick();
  // Somebody has connected to the bus port. The id is a new one.
  void Accepted(LinkId link, std::string_view peer_ip);
  // Ids of links that Connect opens come from the same numbers as those of Accepted.
  LinkId NewLinkId() { return ++last_link_; }
  void Connected(LinkId link);
  void Closed(LinkId link);
  // One whole packet. `local_ip` is the address that the peer has reached.
  void Received(LinkId link, std::string_view packet, std::string_view local_ip);
  void OptionsChanged();

  // ---- what is known; pointers are good until the next call of anything else
  Options& options() { return options_; }
  bool started() const { return myself_ != nullptr; }
  const Options& options() const { return options_; }
  const std::map<NodeId, std::unique_ptr<Node>>& nodes() const { return nodes_; }
  // REQUIRES: started().
  const Node& myself() const { return *myself_; }
  // Null: unknown.
  Node* Find(std::string_view id) const;
  // Null: nobody's.
  const Node* Owner(int slot) const { return owners_[static_cast<size_t>(slot)]; }
  // Where a slot of ours goes to; whom a slot comes from. Null: it stays; it does not.
  const Node* MigratingTo(int slot) const;
  const Node* ImportingFrom(int slot) const;
  bool healthy() const { return healthy_; }
  Epoch current_epoch() const { return current_epoch_; }
  Epoch last_vote_epoch() const { return last_vote_epoch_; }
  const Counts& counts() const { return counts_; }
  // How many primaries have slots: the cluster's size.
  int size() const { return size_; }
  const std::optional<std::string>& save_problem() const { return save_problem_; }
  Millis now() const { return kLongAgo + clock_.MonotonicNanos() / kNanosPerMilli; }
  // Of the stream of replication: what a node said last, or where this one stands.
  uint64_t OffsetOf(const Node& node) const;
  // As CLUSTER NODES and the file show it.
  NodeRecord Record(const Node& node) const;
  // Primaries that say it is down; reports that are too old do not count.
  size_t FailureReports(Node& node);
  // All links: of both directions, also those of peers that are nobody yet.
  struct LinkView {
    bool outgoing = false;
    NodeId node;
    Millis created = 0;  // wall time
    LinkId id = 0;
  };
  std::vector<LinkView> Links() const;
  ClusterPort::SendBuffer SendBufferOf(LinkId link) const { return port_.SendBufferOf(link); }
  ClusterPort::LinkTotals TotalsOfLinks() const { return port_.TotalsOfLinks(); }

  // ---- what people ask for (CLUSTER …). Errors are complete error replies without the "-".
  Status Meet(const std::string& ip, int port, int bus_port);
  Status Forget(std::string_view id);
  Status AddSlots(const SlotSet& slots);
  Status DeleteSlots(const SlotSet& slots);
  Status FlushSlots();
  Status Migrate(int slot, std::string_view id);
  Status Import(int slot, std::string_view id);
  Status MakeStable(int slot);
  Status Assign(int slot, std::string_view id);
  Status Replicate(std::string_view id);
  enum class FailoverKind : uint8_t { kOrderly, kForced, kTakeover };
  Status Failover(FailoverKind kind);
  // Takes a new epoch without asking, unless ours is the greatest. True: it did.
  bool BumpEpoch();
  Status SetConfigEpoch(Epoch epoch);
  Status Reset(bool hard);
  Status SaveNow() { return Save(ClusterPort::Durability::kSynced); }
  // Closes links with a node: the one to it, the one from it, or both.
  enum class Direction : uint8_t { kTo, kFrom, kBoth };
  void KillLinks(Node& node, Direction direction);
  Faults& faults() { return faults_; }
  // PUBLISH and SPUBLISH of clients of this node.
  void Publish(bool sharded, std::string_view channel, std::string_view message);

 private:
  // So far is 0 from any time: "never" is long ago.
  static constexpr Millis kLongAgo = 1'000'000'000'000;
  static constexpr Millis kManualFailoverTimeout = 5000;
  static constexpr Millis kForgetPeriod = 60'000;
  static constexpr Millis kMeetPeriod = 60'000;

  struct ManualFailover {
    Millis end = 0;                  // 0: none
    Node* replica = nullptr;         // on the primary: which one takes over
    std::optional<uint64_t> offset;  // on the replica: where the paused primary stands
    bool can_start = false;
  };
  struct Election {
    Millis at = 0;  // when votes are asked for; 0: never yet
    Epoch epoch = 0;
    int rank = 0;
    bool asked = false;
    int needed = 0;  // votes
    std::set<NodeId> votes;
  };
  // The other end of a link.
  struct Peer {
    Node* node = nullptr;  // null: we have not heard who it is
    bool outgoing = false;
    std::string ip;
    Millis created = 0;       // of now()
    Millis created_wall = 0;  // as people are shown it: always the same
  };
  // What one packet is about.
  struct Incoming {
    LinkId link;
    const Packet& packet;
    Node* sender;  // null: nobody that we know
    Node* target;  // whom we have connected to, if it is a link of ours; else null
    std::string_view peer_ip;
    std::string_view local_ip;
  };

  // ---- cluster.cc
  Node& AddNode(const NodeId& id, uint16_t flags);
  void RemoveNode(Node& node);
  void Rename(Node& node, const NodeId& id);
  void SetPrimary(Node& replica, Node* primary);
  void BecomesPrimary(Node& node);
  void BecomesReplica(Node& node);
  // This node follows `primary` from now on.
  void FollowNode(Node& primary);
  void CloseOut(Node& node);
  void CloseIn(Node& node);
  void ConnectTo(Node& node);
  void KeepConnected(Node& node);
  void Listens(LinkId link, Node& node);
  void NoteSleep();
  void ForgetOldHandshakes();
  void PingSomebody();
  void WatchNode(Node& node);
  void KeepFollowing();
  void UpdateMyself();
  Node* NodeAt(const std::string& ip, int bus_port) const;
  void KeepMeeting();
  Node* StartHandshake(const std::string& ip, int port, int bus_port);
  bool IsBanned(const NodeId& id);
  enum class Change : uint8_t { kMinor, kVital };
  // Something that the file holds has changed. kVital: nothing may leave before it is synced.
  void Changed(Change change);
  // At the end of everything that happens.
  void Finish();
  // Of what people ask for: the error is that it could not be saved.
  Status Done();
  Status Save(ClusterPort::Durability durability);
  int64_t ToWall(Millis time) const;
  Millis FromWall(int64_t wall) const;

  // ---- packets_out.cc
  Packet Header(PacketType type) const;
  void AppendGossip(Packet& packet, const Node* to);
  Packet Greeting(PacketType type, const Node* to);
  void SendPacket(LinkId link, const Packet& packet);
  void SendGreeting(LinkId link, PacketType type, const Node* to);
  void Ping(Node& node);
  enum class To : uint8_t { kAll, kShard };
  void BroadcastPong(To to);
  void Broadcast(const Packet& packet);
  void SendUpdate(LinkId link, const Node& about);
  void SendFail(const Node& about);

  // ---- packets_in.cc
  void DropPacket(LinkId link);
  void TakeGreeting(const Incoming& in);
  void TakeOther(const Incoming& in);
  bool TakeHandshake(const Incoming& in);
  void NoteMyAddress(const Incoming& in);
  static std::string AddressOf(const Incoming& in) {
    return in.packet.ip.empty() ? std::string(in.peer_ip) : in.packet.ip;
  }
  void MeetStranger(const Incoming& in);
  void TakePong(Node& node);
  void NoteEpochs(const Incoming& in);
  // True: the sender was our replica until now, and is a primary.
  bool NoteRole(const Incoming& in);
  void YieldTo(Node& successor, const SlotSet& claims);
  void NoteSlots(const Incoming& in);
  void NoteExtensions(const Incoming& in);
  bool NoteAddress(Node& node, std::string_view ip, const Packet& packet);
  void TakeFail(const Incoming& in);
  void TakeUpdate(const Incoming& in);

  // ---- gossip.cc
  void TakeGossip(const Incoming& in);
  void TakeGossipAbout(const Incoming& in, const Gossip& gossip, Node& node);
  void AddFromGossip(const Gossip& gossip);
  void MarkFailed(Node& node);
  void MarkFailedIfAgreed(Node& node);
  void ClearFailureIfDue(Node& node);

  // ---- ownership.cc
  void GiveSlot(int slot, Node& node);
  void FreeSlot(int slot);
  void FreeAllSlots(Node& node);
  void ClearTransfers();
  void TakeClaims(Node& claimant, Epoch epoch, const SlotSet& claims);
  void ResolveEpochCollision(Node& other);
  bool BumpEpochAlone();
  Epoch GreatestEpoch() const;
  void UpdateState();
  bool LooksHealthy();
  int Majority() const { return size_ / 2 + 1; }

  // ---- election.cc
  void StepElection();
  bool MayStandForElection();
  void ScheduleElection();
  int RankAmongReplicas() const;
  void AskForVotes();
  void TakeVoteRequest(const Incoming& in);
  void TakeVote(const Incoming& in);
  void WinElection();
  void ReplacePrimary();

  // ---- manual.cc
  void StepManualFailover();
  void ResetManualFailover();
  void TakeManualFailover(const Incoming& in);
  void MoveToOrphan();
  static int WorkingReplicas(const Node& node);

  ClusterPort& port_;
  const Clock& clock_;
  Random random_;
  Options options_;
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
  Node* myself_ = nullptr;
  std::array<Node*, kSlots> owners_{};
  // Slots whose owner has said, by not claiming them, that they are not its own any more.
  SlotSet unclaimed_;
  std::map<int, NodeId> migrating_;
  std::map<int, NodeId> importing_;
  Epoch current_epoch_ = 0;
  Epoch last_vote_epoch_ = 0;
  int size_ = 0;
  bool healthy_ = false;
  Millis in_minority_at_ = 0;
  bool epoch_is_alone_ = false;  // our config epoch was taken without votes
  Millis started_at_ = 0;
  Election election_;
  ManualFailover manual_;
  std::map<NodeId, Millis> banned_;  // until when
  // Whom people have named, by address and bus port, and until when a handshake that fails is begun anew.
  struct Meeting {
    int port = 0;
    Millis until = 0;
  };
  std::map<std::pair<std::string, int>, Meeting> meetings_;
  std::map<LinkId, Peer> links_;
  std::pair<std::string, int> followed_;  // whom ClusterPort::Follow was told
  std::string last_refusal_;              // why no election began, as it was logged last
  bool suspects_ = false;                 // somebody is suspected since the last tick
  LinkId last_link_ = 0;
  uint64_t ticks_ = 0;
  Millis last_tick_ = 0;
  Counts counts_;
  Faults faults_;
  bool dirty_ = false;
  bool vital_ = false;
  bool routing_changed_ = false;
  bool state_due_ = false;
  std::optional<std::string> save_problem_;
  Millis save_tried_ = 0;
};

}  // namespace cinnabar::cluster
