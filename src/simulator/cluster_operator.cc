#include "simulator/cluster_operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "simulator/cluster_keys.h"
#include "simulator/sentinel_wire.h"

namespace cinnabar::simulator {
namespace {

using cluster::Cluster;
using cluster::SlotSet;

constexpr Millis kTryAgain = 500;
constexpr Millis kStep = 20;

}  // namespace

bool ClusterOperator::Ask(int host, std::string_view what, const Work& work) {
  ClusterHost& asked = deployment_.host(host);
  const Status answer = asked.Ask(work);
  if (world_.watch.tracing()) {
    asked.Trace(fmt::format("is told to {}: {}", what, answer ? "OK" : answer.error().message));
  }
  return answer.has_value();
}

// ---- a new cluster ----

void ClusterOperator::Create() {
  const ClusterOptions& options = world_.options;
  for (int i = 0; i < options.primaries; ++i) {
    SlotSet slots;
    const int first = i * cluster::kSlots / options.primaries,
              last = (i + 1) * cluster::kSlots / options.primaries;
    for (int slot = first; slot < last; ++slot) slots.Add(slot);
    Ask(i, "take slots", [&](Cluster& machine) { return machine.AddSlots(slots); });
  }
  for (int i = 0; i < options.hosts - options.spares; ++i) {
    Ask(i, "set its epoch",
        [i](Cluster& machine) { return machine.SetConfigEpoch(static_cast<Epoch>(i) + 1); });
    if (i > 0)
      Ask(i, "meet", [](Cluster& machine) { return machine.Meet(AddressOf(0), kServerPort, kBusPort); });
  }
  creating_ = true;
  world_.events.After(kTryAgain, [this] { ReplicateAll(); });
}

void ClusterOperator::ReplicateAll() {
  if (!creating_) return;
  const ClusterOptions& options = world_.options;
  for (int i = options.primaries; i < options.hosts - options.spares; ++i) {
    const Cluster* machine = deployment_.host(i).machine();
    const Cluster* primary = deployment_.host(i % options.primaries).machine();
    if (machine == nullptr || primary == nullptr || machine->myself().is_replica()) continue;
    const std::string id = primary->myself().id.str();
    if (machine->Find(id) == nullptr) continue;
    Ask(i, "replicate", [&](Cluster& asked) { return asked.Replicate(id); });
  }
  world_.events.After(kTryAgain, [this] { ReplicateAll(); });
}

// ---- who is what ----

std::vector<int> ClusterOperator::Replicas() const {
  std::vector<int> hosts;
  for (const auto& host : deployment_.hosts()) {
    if (host->awake() && host->machine()->myself().is_replica()) hosts.push_back(host->number());
  }
  return hosts;
}

std::vector<int> ClusterOperator::Primaries() const {
  std::vector<int> hosts;
  for (const auto& host : deployment_.hosts()) {
    if (host->awake() && host->machine()->myself().votes()) hosts.push_back(host->number());
  }
  return hosts;
}

std::optional<int> ClusterOperator::Founder() const {
  const std::vector<int> primaries = Primaries();
  if (!primaries.empty()) return primaries.front();
  for (const auto& host : deployment_.hosts()) {
    if (host->awake() && host->machine()->myself().is_primary()) return host->number();
  }
  return std::nullopt;
}

int ClusterOperator::PrimaryWithFewestReplicas() const {
  const std::vector<int> primaries = Primaries();
  if (primaries.empty()) return -1;
  return *std::ranges::min_element(
      primaries, {}, [this](int host) { return deployment_.host(host).machine()->myself().replicas.size(); });
}

// ---- slots ----

void ClusterOperator::Move(int slot, int to) {
  const auto from = deployment_.OwnerOf(slot);
  const ClusterHost& target = deployment_.host(to);
  if (!from || *from == to || !target.awake() || !deployment_.host(*from).awake()) return;
  const std::string from_id = deployment_.host(*from).machine()->myself().id.str();
  const std::string to_id = target.machine()->myself().id.str();
  const std::string what = fmt::format("move slot {} from {} to {}", slot, *from, to);
  if (!Ask(to, what, [&](Cluster& machine) { return machine.Import(slot, from_id); })) return;
  if (!Ask(*from, what, [&](Cluster& machine) { return machine.Migrate(slot, to_id); })) return;
  ++moving_;
  MoveKeys(slot, *from, to);
}

void ClusterOperator::MoveKeys(int slot, int from, int to) {
  ClusterHost& source = deployment_.host(from);
  ClusterHost& target = deployment_.host(to);
  if (!source.awake() || !target.awake()) return Abandon();
  if (!source.node().is_primary() || !target.node().is_primary()) return Abandon();
  const std::vector<std::string> keys = source.server().KeysIn(slot);
  if (keys.empty()) return EndMove(slot, from, to);
  const std::string& key = keys.front();
  // The key is deleted when the other side has it as safe as answers have to be.
  target.server().Write({"SET", key, "v"}, [this, slot, from, to, key] {
    world_.events.After(kStep, [this, slot, from, to, key] {
      ClusterHost& giver = deployment_.host(from);
      if (!giver.awake() || !giver.node().is_primary()) return Abandon();
      giver.server().Write({"DEL", key}, {});
      MoveKeys(slot, from, to);
    });
  });
}

void ClusterOperator::EndMove(int slot, int from, int to) {
  const std::string id = deployment_.host(to).machine()->myself().id.str();
  const auto assign = [&](Cluster& machine) { return machine.Assign(slot, id); };
  const std::string what = fmt::format("give slot {} to {}", slot, to);
  if (Ask(to, what, assign) && Ask(from, what, assign)) ++moved_;
  for (int host : Primaries()) {
    if (host != to && host != from) Ask(host, what, assign);
  }
  --moving_;
}

// ---- by hand ----

void ClusterOperator::FailOver(int replica, Cluster::FailoverKind kind) {
  const std::string_view names[] = {"fail over", "fail over by force", "take over"};
  Ask(replica, names[static_cast<size_t>(kind)], [kind](Cluster& machine) { return machine.Failover(kind); });
}

void ClusterOperator::Reset(int host, bool hard) {
  Ask(host, hard ? "reset hard" : "reset", [hard](Cluster& machine) { return machine.Reset(hard); });
}

void ClusterOperator::PutRight() {
  ForgetGhosts();
  LetIn();
  UseIdlePrimaries();
  CoverSlots();
  KeepSlots();
}

void ClusterOperator::ForgetGhosts() {
  for (auto& host : deployment_.hosts()) {
    if (!host->awake()) continue;
    std::vector<std::string> ghosts;
    for (const auto& [id, node] : host->machine()->nodes()) {
      const auto number = world_.HostOf(id);
      const bool lives = number && deployment_.host(*number).id() == id;
      if (!lives && !node->in_handshake()) ghosts.push_back(id.str());
    }
    for (const std::string& id : ghosts) {
      const cluster::Node* ghost = host->machine()->Find(id);
      if (ghost == host->machine()->myself().primary) {
        LeaveGhost(*host, *ghost);
      } else {
        Ask(host->number(), "forget", [&](Cluster& machine) { return machine.Forget(id); });
      }
    }
  }
}

void ClusterOperator::LeaveGhost(ClusterHost& host, const cluster::Node& ghost) {
  if (ghost.slot_count > 0) return FailOver(host.number(), Cluster::FailoverKind::kTakeover);
  const int primary = PrimaryWithFewestReplicas();
  if (primary < 0) return;
  const std::string id = deployment_.host(primary).machine()->myself().id.str();
  Ask(host.number(), "replicate", [&](Cluster& machine) { return machine.Replicate(id); });
}

// One of them meets whoever is not known to it.
void ClusterOperator::LetIn() {
  const std::optional<int> founder = Founder();
  if (!founder) return;
  for (const auto& host : deployment_.hosts()) {
    if (!host->awake() || host->number() == *founder) continue;
    const Cluster& first = *deployment_.host(*founder).machine();
    // After a reset it may be that only one of the two knows the other.
    int asked = -1, met = host->number();
    if (!first.nodes().contains(host->id())) {
      asked = *founder;
    } else if (!host->machine()->nodes().contains(first.myself().id)) {
      asked = std::exchange(met, *founder);
    }
    if (asked < 0) continue;
    Ask(asked, "meet", [&](Cluster& machine) { return machine.Meet(AddressOf(met), kServerPort, kBusPort); });
  }
}

void ClusterOperator::UseIdlePrimaries() {
  for (const auto& host : deployment_.hosts()) {
    if (!host->awake() || !host->machine()->myself().is_primary() || host->machine()->myself().slot_count > 0)
      continue;
    const int primary = PrimaryWithFewestReplicas();
    if (primary < 0) return;
    const std::string id = deployment_.host(primary).machine()->myself().id.str();
    if (host->machine()->Find(id) == nullptr) continue;
    Ask(host->number(), "replicate", [&](Cluster& machine) { return machine.Replicate(id); });
  }
}

// Slots that nobody claims, though nobody who is gone is believed to have them.
void ClusterOperator::CoverSlots() {
  const std::optional<int> founder = Founder();
  if (!founder) return;
  const Cluster& first = *deployment_.host(*founder).machine();
  SlotSet missing;
  for (int slot = 0; slot < cluster::kSlots; ++slot) {
    if (first.Owner(slot) == nullptr && !deployment_.OwnerOf(slot)) missing.Add(slot);
  }
  if (missing.empty()) return;
  Ask(*founder, "take slots", [&](Cluster& machine) { return machine.AddSlots(missing); });
}

void ClusterOperator::KeepSlots() {
  for (int number = 0; number < kBusySlots; ++number) {
    const int slot = BusySlot(number);
    for (const auto& host : deployment_.hosts()) {
      if (!host->awake() || !host->machine()->myself().is_primary()) continue;
      const Cluster& machine = *host->machine();
      if (machine.MigratingTo(slot) == nullptr && machine.ImportingFrom(slot) == nullptr) continue;
      Ask(host->number(), fmt::format("keep slot {} where it is", slot),
          [slot](Cluster& asked) { return asked.MakeStable(slot); });
    }
  }
}

}  // namespace cinnabar::simulator
