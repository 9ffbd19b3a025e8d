#include "server/cluster_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/packet.h"
#include "dispatch/routing.h"
#include "dispatch/slot_sweep.h"
#include "keyspace/keyspace.h"
#include "pubsub/channels.h"

namespace cinnabar::server {

using cluster::LinkId;
using cluster::SlotSet;
using dispatch::PauseMode;
using keyspace::Keyspace;

namespace {

constexpr Millis kTick = 100;

}  // namespace

ClusterService::ClusterService(const Parts& parts, uint64_t seed)
    : parts_(parts),
      loop_(parts.services, parts.cores),
      links_({.loop = loop_,
              .user = *this,
              .tls = parts.tls,
              .settings = parts.services.settings,
              .clock = clock_,
              .log = parts.services.log}),
      machine_(
          {.port = *this, .clock = clock_, .seed = seed, .options = ClusterOptions(parts.services.settings)}),
      routing_(MakeRouting(machine_, parts.services.settings)) {
  parts_.services.routing = routing_.get();
}

ClusterService::~ClusterService() {
  parts_.services.routing = nullptr;
}

// ---- the start ----

Status ClusterService::Start() {
  const config::Settings& settings = parts_.services.settings;
  const std::string text = TRY(store_.Open(settings.cluster.config_file));
  if (!text.empty()) {
    if (const Status loaded = machine_.Load(text); !loaded) {
      return Fail(fmt::format("Unrecoverable error: corrupted cluster config file \"{}\": {}",
                              settings.cluster.config_file, loaded.error().message));
    }
  }
  const int port = BusPort(settings);
  if (port > 65535) {
    return Fail(
        "Redis port number too high for cluster mode. Cluster communication port, which is usually "
        "the port + 10000, must be at most 65535. Set cluster-port, or another port.");
  }
  TRY_STATUS(links_.Open(port));
  if (const Status started = machine_.Start(); !started) {
    return Fail(fmt::format("Can't save the cluster config file {}: {}", settings.cluster.config_file,
                            started.error().message));
  }
  if (const cluster::Node& me = machine_.myself(); me.is_replica()) {
    const bool known = me.primary != nullptr && me.primary->has_address();
    parts_.role.FollowAfterLoading(known ? me.primary->ip : "", known ? me.primary->port : 0);
  }
  return {};
}

void ClusterService::DataLoaded() {
  loaded_ = true;
  if (const Status registered = links_.Register(); !registered)
    parts_.services.log.Warning("The cluster bus cannot be listened to: {}", registered.error().message);
  dispatcher().WithWorldStopped([this] { machine_.DataLoaded(); });
}

Millis ClusterService::Work() {
  if (!loaded_) return CoreWork::kNoWork;
  DoDue();
  if (Now() >= next_tick_) {
    next_tick_ = Now() + kTick;
    links_.OnTick();
    machine_.OnTick();
    DoDue();
  }
  return idle() ? std::max<Millis>(next_tick_ - Now(), 0) : 1;
}

void ClusterService::SettingsChanged() {
  machine_.options() = ClusterOptions(parts_.services.settings);
  machine_.OptionsChanged();
  RoutingChanged();
}

// ---- with the world stopped ----

// The gate may be lent, by a command that is in the middle.
bool ClusterService::world_is_ours() const {
  return parts_.services.keyspace.gate().HeldByCaller() && !loop_.Interrupted();
}

void ClusterService::WithWorld(std::function<void()> work) {
  due_.push_back(std::move(work));
  if (world_is_ours()) DoAllDue();
}

void ClusterService::DoAllDue() {
  while (!due_.empty()) {
    const std::function<void()> work = std::move(due_.front());
    due_.pop_front();
    work();
  }
}

void ClusterService::DoDue() {
  if (idle() || !dispatcher().long_commands().WorldIsFree()) return;
  dispatcher().WithWorldStopped([this] {
    DoAllDue();
    std::exchange(to_drop_, {}).ForEach([this](int slot) { dispatch::DropSlotKeys(dispatcher(), slot); });
    for (const WaitingPacket& packet : std::exchange(waiting_, {}))
      machine_.Received(packet.link, packet.bytes, packet.local_ip);
  });
}

// ---- the bus ----

void ClusterService::Connect(LinkId link, const std::string& ip, int bus_port) {
  links_.Connect(link, ip, bus_port);
}

void ClusterService::Send(LinkId link, std::shared_ptr<const std::string> packet) {
  links_.Send(link, std::move(packet));
}

void ClusterService::Close(LinkId link) {
  links_.Close(link);
}

LinkId ClusterService::LinkAccepted(std::string_view peer_ip) {
  const LinkId link = machine_.NewLinkId();
  machine_.Accepted(link, peer_ip);
  return link;
}

void ClusterService::LinkConnected(LinkId link) {
  machine_.Connected(link);
}

void ClusterService::LinkReceived(LinkId link, std::string_view packet, std::string_view local_ip) {
  if (cluster::TypeOf(packet) != cluster::PacketType::kManualFailover)
    return machine_.Received(link, packet, local_ip);
  waiting_.push_back({.link = link, .bytes = std::string(packet), .local_ip = std::string(local_ip)});
}

void ClusterService::LinkClosed(LinkId link) {
  machine_.Closed(link);
}

void ClusterService::Publish(bool sharded, std::string_view channel, std::string_view message) {
  loop_.SoonInBetween([this, sharded, name = std::string(channel), text = std::string(message)] {
    machine_.Publish(sharded, name, text);
  });
}

void ClusterService::Deliver(bool sharded, std::string_view channel, std::string_view message) {
  parts_.services.channels->Publish(sharded ? pubsub::Kind::kShardChannel : pubsub::Kind::kChannel, channel,
                                    message);
}

// ---- the nodes file ----

Status ClusterService::Save(Durability durability) {
  return store_.Replace(machine_.FileText(), durability == Durability::kSynced ? NodesStore::Synced::kYes
                                                                               : NodesStore::Synced::kNo);
}

void ClusterService::Log(LogLevel level, std::string_view text) {
  parts_.services.log.Write(level, text);
}

// ---- replication ----

cluster::ReplicationView ClusterService::Replication() {
  constexpr Millis kNever = std::numeric_limits<int32_t>::max() * kMillisPerSecond;
  cluster::ReplicationView view;
  const bool follows = parts_.role.follows();
  // While a replica is sent everything, what it has belongs to no history.
  const bool whole = !follows || (parts_.following.position() && !parts_.following.Facts().syncing);
  if (parts_.replicas.keeps_stream() && whole) view.offset = parts_.services.journal.offset();
  if (!follows) return view;
  view.link_up = parts_.following.link_is_up();
  view.silence = parts_.following.silence().value_or(kNever);
  return view;
}

void ClusterService::Follow(const std::string& ip, int port) {
  WithWorld([this, ip, port] { parts_.role.Follow(ip, port); });
}

void ClusterService::FollowNobody() {
  WithWorld([this] { parts_.role.FollowNobody(); });
}

void ClusterService::PauseWrites(Millis period) {
  CHECK(world_is_ours());
  dispatch::PauseState& pause = parts_.services.pause;
  if (!std::exchange(holds_writes_, true)) pause_before_ = pause;
  parts_.services.stream_rests = true;
  pause.mode = std::max(pause.mode, PauseMode::kWrites);
  pause.until = std::max(pause.until, dispatcher().core().now + period);
  parts_.services.control.PauseChanged();
}

void ClusterService::ResumeWrites() {
  WithWorld([this] {
    if (!std::exchange(holds_writes_, false)) return;
    parts_.services.stream_rests = false;
    parts_.services.pause = pause_before_;
    parts_.services.control.PauseChanged();
  });
}

// ---- the keyspace ----

// A slot whose shard is busy counts as one that may have keys.
size_t ClusterService::CountKeys(int slot) {
  Keyspace& keyspace = parts_.services.keyspace;
  if (keyspace.tables_if_any(0) == nullptr) return 0;
  const auto& entries = keyspace.table(0, Keyspace::TableOfSlot(slot)).entries;
  if (world_is_ours()) return entries.size();
  const size_t shard = Keyspace::ShardOfTable(Keyspace::TableOfSlot(slot));
  if (!keyspace.TryLock(shard)) return 1;
  const size_t count = entries.size();
  keyspace.Unlock(shard);
  return count;
}

bool ClusterService::Empty() {
  CHECK(world_is_ours());
  return parts_.services.keyspace.Size(0) == 0;
}

void ClusterService::DropKeys(const SlotSet& slots) {
  slots.ForEach([this](int slot) { to_drop_.Add(slot); });
}

void ClusterService::DropAllKeys() {
  WithWorld([this] { parts_.files.DropDataSet(); });
}

// ---- what clients see ----

void ClusterService::RoutingChanged() {
  // std::function copies what it holds.
  auto made =
      std::make_shared<std::unique_ptr<dispatch::Routing>>(MakeRouting(machine_, parts_.services.settings));
  WithWorld([this, made] { Publish(std::move(*made)); });
}

void ClusterService::Publish(std::unique_ptr<dispatch::Routing> routing) {
  dispatch::PublishRouting(parts_.services, routing.get());
  routing_ = std::move(routing);
}

}  // namespace cinnabar::server
