#include "simulator/cluster_host.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "simulator/cluster_checks.h"
#include "simulator/cluster_watch.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {
namespace {

using cluster::Cluster;
using cluster::Packet;
using cluster::PacketType;

constexpr Millis kTick = 100;
constexpr Millis kTickSpread = 10;
constexpr Millis kRestartDelay = 3000;
constexpr Millis kDeafFrom = 1'030'000;  // the planted bug: the cluster is made first
constexpr Millis kNever = 1'000'000'000;

int64_t Between(Random& random, int64_t most) {
  return static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(2 * most + 1))) - most;
}

// The last line says that no vote was ever given.
std::string WithoutVotes(std::string text) {
  const size_t at = text.rfind("lastVoteEpoch ");
  return text.substr(0, at) + "lastVoteEpoch 0\n";
}

}  // namespace

ClusterHost::ClusterHost(ClusterWorld& world, int number)
    : world_(world),
      number_(number),
      clock_(world.events, Between(world.random, world.options.drift_per_million), world.Some(1'000'000'000)),
      node_options_(world.options.node),
      node_(number, world.events, world.network, world.random, world.watch, node_options_),
      bus_(world, number, node_.gate(), *this),
      server_(world, *this, node_options_) {}

ClusterHost::~ClusterHost() = default;

void ClusterHost::Trace(std::string_view what) const {
  if (!world_.watch.tracing()) return;
  world_.watch.Trace(fmt::format("{} host {} {}", world_.now(), number_, what));
}

void ClusterHost::Log(LogLevel level, std::string_view text) {
  if (level >= LogLevel::kDebug) Trace(text);
}

// ---- its life ----

void ClusterHost::Start(const Return& how) {
  if (machine_ != nullptr) return;
  if (how.without_disk) disk_.Lose();
  disk_.GoBack(how.older);
  cluster::Options options = world_.options.machine;
  options.port = kServerPort;
  options.bus_port = kBusPort;
  machine_ = std::make_unique<Cluster>(
      Cluster::Setup{.port = *this, .clock = clock_, .seed = world_.random.Next(), .options = options});
  if (!disk_.empty()) {
    if (const Status loaded = machine_->Load(disk_.text()); !loaded) {
      world_.watch.Broken(fmt::format("host {} refuses its own file: {}", number_, loaded.error().message));
      machine_.reset();
      return;
    }
  }
  had_link_ = false;
  node_.Start(how.without_disk ? Node::Disk::kLost : Node::Disk::kKept);
  const Status started = machine_->Start();
  if (!started) {
    // Whoever looks after it tries again.
    Trace("does not start");
    Stop();
    return After(kRestartDelay, [this] { Start({}); });
  }
  Trace(fmt::format("starts as {}", machine_->myself().id.text()));
  world_.network.SetUser(number_, &server_);
  world_.network.SetUser(world_.BusNode(number_), &bus_);
  if (machine_->myself().is_primary()) node_.BecomePrimary();
  NoteName();
  world_.checks.OnStarted(number_, *machine_);
  Call([](Cluster& machine) { machine.DataLoaded(); });
  After(world_.Some(kTick), [this] { Tick(); });
}

void ClusterHost::Stop() {
  ++life_;
  if (world_.options.durable) node_.Save();
  bus_.Crash();
  node_.Crash();
  server_.Forget();
  machine_.reset();
}

void ClusterHost::Crash(Loss loss) {
  if (machine_ == nullptr) return;
  Trace(loss == Loss::kPower ? "loses power" : "crashes");
  Stop();
  if (loss == Loss::kPower) disk_.LosePower(world_.random);
}

void ClusterHost::After(Millis delay, std::function<void()> event) {
  world_.events.After(delay, [this, life = life_, event = std::move(event)] {
    if (life == life_) node_.gate().Pass(event);
  });
}

void ClusterHost::Tick() {
  NoteLink();
  Call([](Cluster& machine) { machine.OnTick(); });
  if (machine_ != nullptr) After(kTick - kTickSpread + world_.Some(2 * kTickSpread), [this] { Tick(); });
}

void ClusterHost::Call(const std::function<void(Cluster&)>& work) {
  if (machine_ == nullptr) return;
  work(*machine_);
  NoteName();
  world_.checks.OnState(number_, *machine_);
}

void ClusterHost::NoteName() {
  const cluster::NodeId& id = machine_->myself().id;
  if (id_ == id) return;
  id_ = id;
  world_.host_of[id] = number_;
}

Status ClusterHost::Ask(const std::function<Status(Cluster&)>& work) {
  if (!awake()) return Fail("it does not answer");
  Status answer;
  Call([&](Cluster& machine) { answer = work(machine); });
  return answer;
}

// ---- the bus ----

LinkId ClusterHost::LinkAccepted(const std::string& peer_ip) {
  if (machine_ == nullptr) return 0;
  const LinkId link = machine_->NewLinkId();
  Call([&](Cluster& machine) { machine.Accepted(link, peer_ip); });
  return link;
}

void ClusterHost::LinkConnected(LinkId link) {
  Call([link](Cluster& machine) { machine.Connected(link); });
}

void ClusterHost::LinkClosed(LinkId link) {
  Call([link](Cluster& machine) { machine.Closed(link); });
}

void ClusterHost::Connect(LinkId link, const std::string& ip, int bus_port) {
  if (bus_.Connect(link, ip, bus_port)) return;
  After(1, [this, link] { LinkClosed(link); });
}

void ClusterHost::Send(LinkId link, std::shared_ptr<const std::string> bytes) {
  if (!world_.options.watches_packets) {
    if (!bus_.Send(link, *bytes)) After(1, [this, link] { LinkClosed(link); });
    return;
  }
  auto packet = cluster::Decode(*bytes);
  if (!packet) return world_.watch.Broken("a node sends no packet: " + packet.error().message);
  if (world_.options.bug == ClusterBug::kNone) return SendPacket(link, *packet, *bytes);
  Distort(link, *packet);
  SendPacket(link, *packet, cluster::Encode(*packet));
}

void ClusterHost::SendPacket(LinkId link, const Packet& packet, std::string bytes) {
  if (bus_.PeerOf(link) < 0) return;
  NodeId to;
  for (const auto& [id, node] : machine_->nodes()) {
    if (node->out.id == link || node->in.id == link) to = id;
  }
  world_.checks.OnSent(number_, packet, disk_.safe(), to);
  if (!bus_.Send(link, std::move(bytes))) After(1, [this, link] { LinkClosed(link); });
}

void ClusterHost::Distort(LinkId, Packet& packet) const {
  if (!PlantedHere(ClusterBug::kTellsOfEpochsToCome)) return;
  if ((packet.flags & cluster::kPrimaryFlag) != 0) ++packet.config_epoch;
}

void ClusterHost::PacketCame(LinkId link, int, const std::string& packet) {
  const auto receive = [&](const std::string& bytes) {
    Call([&](Cluster& machine) { machine.Received(link, bytes, AddressOf(number_)); });
  };
  if (world_.options.bug == ClusterBug::kNone) return receive(packet);
  const auto read = cluster::Decode(packet);
  if (!read) return;
  if (PlantedHere(ClusterBug::kHearsOfNoNewOwners) && world_.now() > kDeafFrom) {
    Packet deaf = *read;
    if (deaf.type == PacketType::kUpdate) return;
    if (deaf.type <= PacketType::kMeet && machine_ != nullptr) {
      if (const cluster::Node* sender = machine_->Find(deaf.sender.text())) deaf.slots = sender->slots;
    }
    return receive(cluster::Encode(deaf));
  }
  receive(packet);
  if (world_.options.bug == ClusterBug::kHearsVotesNobodyGave && read->type == PacketType::kPong) {
    Packet vote = *read;
    vote.type = PacketType::kVote;
    vote.gossip.clear();
    if (machine_ != nullptr) vote.current_epoch = machine_->current_epoch();
    receive(cluster::Encode(vote));
  }
  if (world_.options.bug == ClusterBug::kVotesForEverybody && read->type == PacketType::kVoteRequest) {
    VoteAnyway(link, *read);
  }
}

void ClusterHost::VoteAnyway(LinkId link, const Packet& request) {
  if (machine_ == nullptr || !machine_->myself().votes()) return;
  const cluster::Node& me = machine_->myself();
  const Packet vote{.type = PacketType::kVote,
                    .sender = me.id,
                    .flags = me.flags,
                    .port = kServerPort,
                    .bus_port = kBusPort,
                    .current_epoch = request.current_epoch,
                    .config_epoch = me.config_epoch,
                    .slots = me.slots};
  // As votes do, it goes over the link that this node has opened.
  const auto asking = machine_->nodes().find(request.sender);
  const LinkId back = asking == machine_->nodes().end() ? link : asking->second->out.id;
  SendPacket(back, vote, cluster::Encode(vote));
}

// ---- the disk ----

Status ClusterHost::Save(Durability durability) {
  const ClusterOptions& options = world_.options;
  const bool full = world_.now() < disk_full_until_;
  if (full ||
      (world_.faulty && options.save_fails_one_in != 0 && world_.random.OneIn(options.save_fails_one_in))) {
    return Fail("No space left on device", ENOSPC);
  }
  if (!options.watches_packets) return {};
  if (options.bug == ClusterBug::kSavesNothing && world_.faulty) return {};
  std::string text = machine_->FileText();
  if (options.bug == ClusterBug::kDiskForgetsVotes) text = WithoutVotes(std::move(text));
  disk_.Write(std::move(text));
  if (durability == Durability::kSynced) disk_.Sync(ClusterDisk::Look::kParse);
  return {};
}

// ---- replication ----

void ClusterHost::NoteLink() {
  if (machine_ != nullptr && node_.followed() && node_.link_online()) had_link_ = true;
}

cluster::ReplicationView ClusterHost::Replication() {
  cluster::ReplicationView view{.offset = node_.offset()};
  if (!node_.followed()) return view;
  view.link_up = node_.link_online();
  if (view.link_up) {
    had_link_ = true;
    view.silence = world_.now() - server_.heard_from_primary_at();
  } else {
    view.silence = had_link_ ? world_.now() - node_.link_down_since() : kNever;
  }
  return view;
}

void ClusterHost::Follow(const std::string& ip, int port) {
  const auto primary = NodeAt(ip);
  if (!primary || !world_.IsServer(*primary) || port != kServerPort || *primary == number_) {
    return world_.watch.Broken(fmt::format("host {} is told to follow {}:{}", number_, ip, port));
  }
  if (node_.followed() == *primary) return;
  Trace(fmt::format("is told to follow host {}", *primary));
  had_link_ = false;
  server_.FollowsNow();
  node_.Follow(*primary);
}

void ClusterHost::FollowNobody() {
  Trace("is told to follow nobody");
  node_.BecomePrimary();
  server_.LeadsNow();
}

}  // namespace cinnabar::simulator
