#include "cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::cluster {
namespace {

constexpr Millis kHandshakeTimeoutMin = 1000;
constexpr Millis kSaveRetryPeriod = 1000;
constexpr uint64_t kTicksPerPing = 10;  // of somebody at random
constexpr size_t kPingCandidates = 5;
// Primaries that vote ask each other more often than Redis's do: in all ten times a second at most, and each
// twice at most. How soon the death of one is noticed depends on it.
constexpr Millis kVoterPeriodMin = 500;
constexpr Millis kVoterPeriodEach = 100;
// Two ticks may be so far apart without a reason to doubt anything, however short the node timeout is.
constexpr Millis kSleepMin = 1000;

}  // namespace

Cluster::Cluster(const Setup& setup)
    : port_(setup.port), clock_(setup.clock), random_(setup.seed), options_(setup.options) {}

Cluster::~Cluster() = default;

Status Cluster::Start() {
  started_at_ = now();
  if (myself_ == nullptr) {
    myself_ = &AddNode(NodeId::Make(random_), kMyselfFlag | kPrimaryFlag);
    port_.Log(LogLevel::kNotice, fmt::format("No cluster configuration found, I'm {}", myself_->id.text()));
  }
  if (myself_->shard.empty()) myself_->shard = NodeId::Make(random_);
  UpdateMyself();
  UpdateState();
  return Save(ClusterPort::Durability::kSynced);
}

void Cluster::DataLoaded() {
  if (myself_->is_replica()) return;
  for (int slot = 0; slot < kSlots; ++slot) {
    Node* owner = owners_[static_cast<size_t>(slot)];
    if (owner == myself_ || importing_.contains(slot) || port_.CountKeys(slot) == 0) continue;
    if (owner == nullptr) {
      port_.Log(LogLevel::kWarning,
                fmt::format("I have keys for unassigned slot {}. Taking responsibility for it.", slot));
      GiveSlot(slot, *myself_);
    } else {
      port_.Log(LogLevel::kWarning,
                fmt::format("I have keys for slot {}, but the slot is assigned to another "
                            "node. Setting it to importing state.",
                            slot));
      importing_[slot] = owner->id;
    }
    Changed(Change::kVital);
  }
  Finish();
}

void Cluster::OptionsChanged() {
  UpdateMyself();
  state_due_ = true;
  Finish();
}

void Cluster::OnTick() {
  ++ticks_;
  NoteSleep();
  ForgetOldHandshakes();
  KeepMeeting();
  for (const auto& [id, node] : nodes_) KeepConnected(*node);
  if (ticks_ % kTicksPerPing == 0) PingSomebody();
  for (const auto& [id, node] : nodes_) WatchNode(*node);
  if (suspects_) {
    // Others learn of it now, not with our next ping.
    suspects_ = false;
    for (const auto& [id, node] : nodes_) {
      if (node.get() != myself_ && node->votes() && node->out.connected && node->ping_sent == 0) Ping(*node);
    }
  }
  if (manual_.end != 0 && now() > manual_.end) {
    port_.Log(LogLevel::kWarning, "Manual failover timed out.");
    ResetManualFailover();
  }
  if (myself_->is_replica()) {
    KeepFollowing();
    StepManualFailover();
    StepElection();
    MoveToOrphan();
  }
  if (!healthy_) state_due_ = true;
  Finish();
}

// Whoever was stopped for so long may have been replaced: it asks before it takes writes again.
void Cluster::NoteSleep() {
  const bool slept = last_tick_ != 0 && now() - last_tick_ > std::max(options_.node_timeout, kSleepMin);
  last_tick_ = now();
  if (!slept || !healthy_ || !myself_->is_primary()) return;
  in_minority_at_ = now();
  healthy_ = false;
  routing_changed_ = true;
  port_.Log(LogLevel::kWarning, "Cluster state changed: fail (this process did not run for a long time)");
}

// ---- links ----

void Cluster::Accepted(LinkId link, std::string_view peer_ip) {
  links_[link] = {.ip = std::string(peer_ip), .created = now(), .created_wall = clock_.WallMillis()};
}

void Cluster::ConnectTo(Node& node) {
  node.out = {.id = NewLinkId(), .created = now()};
  links_[node.out.id] = {
      .node = &node, .outgoing = true, .ip = node.ip, .created = now(), .created_wall = clock_.WallMillis()};
  // A connection that never comes counts as an answer that does not come.
  if (node.ping_sent == 0) node.ping_sent = now();
  port_.Connect(node.out.id, node.ip, node.bus_port);
}

void Cluster::Connected(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second.node == nullptr) return;
  Node& node = *found->second.node;
  node.out.connected = true;
  Ping(node);
  Finish();
}

void Cluster::Closed(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  if (Node* node = found->second.node; node != nullptr) {
    if (node->out.id == link) node->out = {};
    if (node->in.id == link) node->in = {};
  }
  links_.erase(found);
}

void Cluster::CloseOut(Node& node) {
  if (node.out.id == 0) return;
  port_.Close(node.out.id);
  links_.erase(node.out.id);
  node.out = {};
}

void Cluster::CloseIn(Node& node) {
  if (node.in.id == 0) return;
  port_.Close(node.in.id);
  links_.erase(node.in.id);
  node.in = {};
}

void Cluster::KillLinks(Node& node, Direction direction) {
  if (direction != Direction::kFrom) CloseOut(node);
  if (direction != Direction::kTo) CloseIn(node);
}

// `link`, which comes from outside, is this node's. The newest one is kept.
void Cluster::Listens(LinkId link, Node& node) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second.outgoing || found->second.node == &node) return;
  if (Node* before = found->second.node; before != nullptr) before->in = {};
  CloseIn(node);
  found->second.node = &node;
  node.in = {.id = link, .connected = true, .created = found->second.created};
}

void Cluster::KeepConnected(Node& node) {
  if (&node == myself_ || !node.has_address() || node.out.id != 0) return;
  ConnectTo(node);
}

void Cluster::PingSomebody() {
  std::vector<Node*> candidates;
  for (const auto& [id, node] : nodes_) {
    if (node.get() != myself_ && !node->in_handshake() && node->out.connected && node->ping_sent == 0)
      candidates.push_back(node.get());
  }
  Node* oldest = nullptr;
  for (size_t tries = 0; tries < kPingCandidates && !candidates.empty(); ++tries) {
    Node* node = candidates[random_.Uniform(candidates.size())];
    if (oldest == nullptr || node->pong_received < oldest->pong_received) oldest = node;
  }
  if (oldest != nullptr) Ping(*oldest);
}

// Renews its link, pings it in time, and suspects it when it does not answer.
void Cluster::WatchNode(Node& node) {
  if (&node == myself_ || node.in_handshake()) return;
  // Another node lives where it was, or nobody has said where it is: nobody can ask it.
  if (!node.has_address() && node.ping_sent == 0) node.ping_sent = now();
  const Millis half = options_.node_timeout / 2;
  const Millis waiting = node.ping_sent == 0 ? 0 : now() - node.ping_sent;
  const Millis silent = now() - node.data_received;
  // The connection may be broken though nobody has said so, and though we hear the node on its own.
  const bool broken = waiting > half && (silent > half || waiting > options_.node_timeout);
  if (node.out.id != 0 && now() - node.out.created > options_.node_timeout && broken) CloseOut(node);
  if (node.out.connected) {
    const bool voters = myself_->votes() && node.votes();
    const Millis often = std::max(kVoterPeriodMin, kVoterPeriodEach * size_);
    const Millis period = voters ? std::min(half, often) : half;
    const bool due = node.ping_sent == 0 && now() - node.pong_received > period;
    const bool takes_over = manual_.end != 0 && myself_->is_primary() && manual_.replica == &node;
    if (due || takes_over) {
      Ping(node);
      return;
    }
  }
  if (node.ping_sent == 0 || std::min(waiting, silent) <= options_.node_timeout) return;
  if (node.Is(kMaybeFailedFlag | kFailedFlag)) return;
  port_.Log(LogLevel::kDebug, fmt::format("*** NODE {} possibly failing", node.id.text()));
  node.flags |= kMaybeFailedFlag;
  suspects_ = true;
  state_due_ = true;
  // What others have said may already be enough.
  MarkFailedIfAgreed(node);
}

void Cluster::ForgetOldHandshakes() {
  const Millis timeout = std::max(options_.node_timeout, kHandshakeTimeoutMin);
  std::vector<Node*> old;
  for (const auto& [id, node] : nodes_) {
    if (node->in_handshake() && now() - node->created > timeout) old.push_back(node.get());
  }
  for (Node* node : old) RemoveNode(*node);
}

Node* Cluster::NodeAt(const std::string& ip, int bus_port) const {
  for (const auto& [id, node] : nodes_) {
    if (node->ip == ip && node->bus_port == bus_port) return node.get();
  }
  return nullptr;
}

// A handshake that was cut short, or was not heard, is begun anew.
void Cluster::KeepMeeting() {
  for (auto each = meetings_.begin(); each != meetings_.end();) {
    const auto& [address, meeting] = *each;
    const Node* node = NodeAt(address.first, address.second);
    if (node == nullptr && meeting.until > now()) {
      StartHandshake(address.first, meeting.port, address.second)->flags |= kMeetFlag;
    }
    const bool over = meeting.until <= now() || (node != nullptr && !node->in_handshake());
    each = over ? meetings_.erase(each) : std::next(each);
  }
}

// Null: somebody is asked there already.
Node* Cluster::StartHandshake(const std::string& ip, int port, int bus_port) {
  for (const auto& [id, node] : nodes_) {
    if (node->in_handshake() && node->ip == ip && node->bus_port == bus_port) return nullptr;
  }
  Node& node = AddNode(NodeId::Make(random_), kHandshakeFlag);
  node.ip = ip;
  node.port = port;
  node.bus_port = bus_port;
  return &node;
}

// ---- nodes ----

Node* Cluster::Find(std::string_view id) const {
  const auto parsed = NodeId::Parse(id);
  if (!parsed) return nullptr;
  const auto found = nodes_.find(*parsed);
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node& Cluster::AddNode(const NodeId& id, uint16_t flags) {
  auto node = std::make_unique<Node>();
  node->id = id;
  node->flags = flags;
  node->created = now();
  return *(nodes_[id] = std::move(node));
}

void Cluster::RemoveNode(Node& node) {
  FreeAllSlots(node);
  std::erase_if(migrating_, [&](const auto& one) { return one.second == node.id; });
  std::erase_if(importing_, [&](const auto& one) { return one.second == node.id; });
  for (Node* replica : node.replicas) replica->primary = nullptr;
  node.replicas.clear();
  SetPrimary(node, nullptr);
  for (const auto& [id, other] : nodes_) other->reports.erase(node.id);
  if (manual_.replica == &node) ResetManualFailover();
  CloseOut(node);
  CloseIn(node);
  nodes_.erase(NodeId(node.id));
  Changed(Change::kMinor);
  state_due_ = true;
}

void Cluster::Rename(Node& node, const NodeId& id) {
  auto handle = nodes_.extract(node.id);
  handle.key() = id;
  node.id = id;
  nodes_.insert(std::move(handle));
  Changed(Change::kVital);
}

void Cluster::SetPrimary(Node& replica, Node* primary) {
  if (replica.primary == primary) return;
  if (replica.primary != nullptr) std::erase(replica.primary->replicas, &replica);
  replica.primary = primary;
  if (primary == nullptr) return;
  primary->replicas.push_back(&replica);
  primary->flags |= kMigrateToFlag;
}

void Cluster::BecomesPrimary(Node& node) {
  if (node.is_primary()) return;
  SetPrimary(node, nullptr);
  node.flags = static_cast<uint16_t>((node.flags & ~kReplicaFlag) | kPrimaryFlag);
  if (&node != myself_) node.flags |= kMigrateToFlag;
  Changed(&node == myself_ ? Change::kVital : Change::kMinor);
  state_due_ = true;
  routing_changed_ = true;
}

// Another node than this one.
void Cluster::BecomesReplica(Node& node) {
  FreeAllSlots(node);
  node.flags = static_cast<uint16_t>((node.flags & ~(kPrimaryFlag | kMigrateToFlag)) | kReplicaFlag);
  Changed(Change::kMinor);
  state_due_ = true;
  routing_changed_ = true;
}

void Cluster::FollowNode(Node& primary) {
  if (myself_->is_primary()) {
    myself_->flags =
        static_cast<uint16_t>((myself_->flags & ~(kPrimaryFlag | kMigrateToFlag)) | kReplicaFlag);
    ClearTransfers();
  }
  SetPrimary(*myself_, &primary);
  if (!primary.shard.empty()) myself_->shard = primary.shard;
  ResetManualFailover();
  election_ = {};
  Changed(Change::kVital);
  state_due_ = true;
  routing_changed_ = true;
  KeepFollowing();
}

void Cluster::KeepFollowing() {
  const Node* primary = myself_->primary;
  if (primary == nullptr || !primary->has_address()) return;
  const std::pair<std::string, int> address{primary->ip, primary->port};
  if (address == followed_) return;
  followed_ = address;
  port_.Follow(primary->ip, primary->port);
}

void Cluster::UpdateMyself() {
  Node& me = *myself_;
  const auto set = [&](auto& field, const auto& value) {
    if (field == value) return;
    field = value;
    Changed(Change::kMinor);
  };
  if (!options_.announce_ip.empty()) set(me.ip, options_.announce_ip);
  set(me.port, options_.port);
  set(me.plain_port, options_.plain_port);
  set(me.bus_port, options_.bus_port);
  set(me.hostname, options_.hostname);
  set(me.human_name, options_.human_name);
  const auto flags = static_cast<uint16_t>((me.flags & ~kNoFailoverFlag) |
                                           (options_.replica_no_failover ? kNoFailoverFlag : 0));
  set(me.flags, flags);
}

bool Cluster::IsBanned(const NodeId& id) {
  std::erase_if(banned_, [&](const auto& one) { return one.second <= now(); });
  return banned_.contains(id);
}

std::vector<Cluster::LinkView> Cluster::Links() const {
  std::vector<LinkView> views;
  for (const auto& [id, peer] : links_) {
    views.push_back({.outgoing = peer.outgoing,
                     .node = peer.node == nullptr ? NodeId{} : peer.node->id,
                     .created = peer.created_wall,
                     .id = id});
  }
  return views;
}

uint64_t Cluster::OffsetOf(const Node& node) const {
  return &node == myself_ ? port_.Replication().offset : node.offset;
}

// ---- the nodes file ----

int64_t Cluster::ToWall(Millis time) const {
  return time == 0 ? 0 : clock_.WallMillis() - (now() - time);
}
Millis Cluster::FromWall(int64_t wall) const {
  return wall == 0 ? 0 : now() - (clock_.WallMillis() - wall);
}

NodeRecord Cluster::Record(const Node& node) const {
  NodeRecord record{.id = node.id,
                    .ip = node.ip,
                    .port = node.port,
                    .bus_port = node.bus_port,
                    .hostname = node.hostname,
                    .human_name = node.human_name,
                    .shard = node.shard,
                    .flags = node.flags,
                    .primary = node.primary == nullptr ? NodeId{} : node.primary->id,
                    .ping_sent = ToWall(node.ping_sent),
                    .pong_received = ToWall(node.pong_received),
                    // A replica shows the epoch of its primary.
                    .config_epoch = node.primary == nullptr ? node.config_epoch : node.primary->config_epoch,
                    .connected = &node == myself_ || node.out.connected,
                    .slots = node.slots};
  if (&node != myself_) return record;
  record.migrating.assign(migrating_.begin(), migrating_.end());
  record.importing.assign(importing_.begin(), importing_.end());
  return record;
}

std::string Cluster::FileText() const {
  ClusterRecord record{.current_epoch = current_epoch_, .last_vote_epoch = last_vote_epoch_};
  for (const auto& [id, node] : nodes_) {
    // Who is in a handshake has no id that is worth being kept.
    if (!node->in_handshake()) record.nodes.push_back(Record(*node));
  }
  return NodesText(record, options_.form);
}

Status Cluster::Load(std::string_view text) {
  const ClusterRecord cluster = TRY(ParseNodes(text));
  for (const NodeRecord& record : cluster.nodes) {
    // Our links and what we thought of others are gone.
    constexpr uint16_t kLost = kMaybeFailedFlag | kExtensionsFlag;
    Node& node = AddNode(record.id, static_cast<uint16_t>(record.flags & ~kLost));
    node.ip = record.ip;
    node.port = record.port;
    node.bus_port = record.bus_port;
    node.hostname = record.hostname;
    node.human_name = record.human_name;
    node.shard = record.shard;
    node.config_epoch = record.config_epoch;
    if (node.failed()) node.failed_at = now();
    if (node.Is(kMyselfFlag)) myself_ = &node;
    record.slots.ForEach([&](int slot) { GiveSlot(slot, node); });
  }
  for (const NodeRecord& record : cluster.nodes) {
    if (record.primary.empty()) continue;
    SetPrimary(*Find(record.id.text()), Find(record.primary.text()));
    Find(record.id.text())->config_epoch = 0;
  }
  for (const NodeRecord& record : cluster.nodes) {
    if (record.id != myself_->id) continue;
    migrating_.insert(record.migrating.begin(), record.migrating.end());
    importing_.insert(record.importing.begin(), record.importing.end());
  }
  current_epoch_ = std::max<Epoch>(cluster.current_epoch, GreatestEpoch());
  last_vote_epoch_ = cluster.last_vote_epoch;
  return {};
}

void Cluster::Changed(Change change) {
  dirty_ = true;
  if (change == Change::kVital) vital_ = true;
}

void Cluster::Finish() {
  if (state_due_) UpdateState();
  const bool wait = save_problem_ && now() - save_tried_ < kSaveRetryPeriod;
  if (dirty_ && !wait)
    (void)Save(vital_ ? ClusterPort::Durability::kSynced : ClusterPort::Durability::kWritten);
  if (routing_changed_) {
    routing_changed_ = false;
    port_.RoutingChanged();
  }
}

Status Cluster::Done() {
  Finish();
  if (dirty_ && save_problem_)
    return Fail(fmt::format("ERR error saving the cluster node config: {}", *save_problem_));
  return {};
}

Status Cluster::Save(ClusterPort::Durability durability) {
  save_tried_ = now();
  Status saved = port_.Save(durability);
  if (!saved) {
    if (!save_problem_) {
      port_.Log(LogLevel::kWarning,
                fmt::format("The cluster config file cannot be written: {}. Until it can, this "
                            "node sends nothing that depends on what it would forget.",
                            saved.error().message));
    }
    save_problem_ = saved.error().message;
    dirty_ = true;
    if (durability == ClusterPort::Durability::kSynced) vital_ = true;
    UpdateState();
    return saved;
  }
  const bool again = save_problem_.has_value();
  save_problem_.reset();
  dirty_ = false;
  if (durability == ClusterPort::Durability::kSynced) vital_ = false;
  if (again) {
    port_.Log(LogLevel::kNotice, "The cluster config file is written again.");
    state_due_ = true;
  }
  return saved;
}

}  // namespace cinnabar::cluster
