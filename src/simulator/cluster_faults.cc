#include "simulator/cluster_faults.h"

#include <fmt/format.h>

#include "simulator/cluster_keys.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kAway = 15'000;
constexpr Millis kBrieflyAway = 600;
constexpr Millis kFrozen = 12'000;
constexpr Millis kCutOff = 15'000;
constexpr Millis kWallJump = 100'000'000;

}  // namespace

void ClusterFaults::Trace(std::string_view what) {
  if (!world_.watch.tracing()) return;
  world_.watch.Trace(fmt::format("{} fault: {}", world_.now(), what));
}

void ClusterFaults::Begin() {
  active_ = world_.faulty = true;
  Trace("faults begin");
  Next();
}

void ClusterFaults::Later(Millis most, std::function<void()> work) {
  world_.events.After(world_.Some(most), [this, work = std::move(work)] {
    if (active_) work();
  });
}

void ClusterFaults::Next() {
  Later(2 * world_.options.fault_period, [this] {
    GoWrong();
    Next();
  });
}

void ClusterFaults::End() {
  active_ = world_.faulty = false;
  Trace("all faults end");
  world_.network.HealAll();
  world_.network.SetDelays({.usual = 8, .slow = 8, .one_in = 40});
  for (auto& host : deployment_.hosts()) {
    host->FillDisk(0);
    Thaw(host->number());
    Start(host->number());
  }
}

// ---- one machine ----

void ClusterFaults::Crash(int number) {
  deployment_.host(number).Crash(world_.random.OneIn(2) ? ClusterHost::Loss::kPower
                                                        : ClusterHost::Loss::kProcess);
}

// A primary and all its replicas do not lose their disks: that is no matter of clusters.
bool ClusterFaults::LastOfItsShard(int number) const {
  for (const auto& host : deployment_.hosts()) {
    if (host->number() == number || !host->awake()) continue;
    const cluster::Node& me = host->machine()->myself();
    const auto primary = me.primary == nullptr ? std::nullopt : world_.HostOf(me.primary->id);
    if (primary == number && host->node().link_online()) return false;
  }
  return true;
}

void ClusterFaults::Start(int number) {
  ClusterHost& host = deployment_.host(number);
  if (host.machine() != nullptr) return;
  ClusterHost::Return how;
  how.without_disk = active_ && !world_.options.durable && world_.random.OneIn(3);
  if (active_ && world_.options.old_files && world_.random.OneIn(2)) how.older = 1 + world_.random.Uniform(4);
  if (how.without_disk) Trace(fmt::format("host {} has a new disk", number));
  if (how.older > 0) Trace(fmt::format("host {} has a file of {} times before", number, how.older));
  host.Start(how);
}

void ClusterFaults::Freeze(int number) {
  Trace(fmt::format("host {} is stopped", number));
  deployment_.host(number).gate().Close();
}

void ClusterFaults::Thaw(int number) {
  ClusterHost& host = deployment_.host(number);
  if (!host.gate().closed()) return;
  Trace(fmt::format("host {} goes on", number));
  host.gate().Open();
}

// ---- choosing ----

int ClusterFaults::OneOf(const std::vector<int>& hosts) {
  return hosts[world_.random.Uniform(hosts.size())];
}

int ClusterFaults::SomeHost() {
  const std::vector<int> primaries = operator_.Primaries();
  if (!primaries.empty() && !world_.random.OneIn(3)) return OneOf(primaries);
  return world_.SomeHost();
}

void ClusterFaults::GoWrong() {
  const uint64_t choice = world_.random.Uniform(100);
  if (choice < 45) {
    GoWrongWithHost();
  } else if (choice < 80) {
    GoWrongWithLinks();
  } else {
    Operate();
  }
}

void ClusterFaults::GoWrongWithHost() {
  const int number = SomeHost();
  ClusterHost& host = deployment_.host(number);
  if (!host.awake()) return;
  const uint64_t choice = world_.random.Uniform(10);
  if (choice < 5) {
    if (!world_.options.durable && LastOfItsShard(number)) return;
    Crash(number);
    Later(world_.random.OneIn(3) ? kBrieflyAway : kAway, [this, number] { Start(number); });
  } else if (choice < 8) {
    Freeze(number);
    Later(world_.random.OneIn(3) ? kBrieflyAway : kFrozen, [this, number] { Thaw(number); });
  } else if (choice < 9) {
    Trace(fmt::format("the wall clock of host {} is set", number));
    host.clock().JumpWall(world_.Some(2 * kWallJump) - kWallJump);
  } else if (world_.options.disks_fill) {
    Trace(fmt::format("the disk of host {} is full", number));
    host.FillDisk(world_.now() + world_.Some(kFrozen));
  }
}

void ClusterFaults::Block(int from, int to, Millis until) {
  world_.network.Block(from, to, until);
  world_.network.Block(world_.BusNode(from), world_.BusNode(to), until);
}

void ClusterFaults::GoWrongWithLinks() {
  const uint64_t choice = world_.random.Uniform(10);
  const int from = world_.SomeHost(), to = world_.SomeHost();
  if (choice < 2) {
    for (uint64_t cuts = 1 + world_.random.Uniform(8); cuts > 0; --cuts) world_.network.CutAny();
  } else if (choice < 4) {
    Trace(fmt::format("nothing passes from {} to {}", from, to));
    Block(from, to, world_.now() + world_.Some(kCutOff));
  } else if (choice < 5) {
    Trace(fmt::format("the bus is slow from {} to {}", from, to));
    world_.network.Slow(world_.BusNode(from), world_.BusNode(to), world_.Some(3000),
                        world_.now() + world_.Some(kCutOff));
  } else if (choice < 6) {
    Trace(fmt::format("replication is slow from {} to {}", from, to));
    world_.network.Slow(from, to, world_.Some(3000), world_.now() + world_.Some(kCutOff));
  } else {
    Partition();
  }
}

// Half of them split everything; the others cut off one host, or a primary with its replicas.
void ClusterFaults::Partition() {
  std::vector<bool> side(deployment_.hosts().size());
  if (world_.random.OneIn(2)) {
    for (size_t i = 0; i < side.size(); ++i) side[i] = world_.random.OneIn(2);
  } else {
    const int one = SomeHost();
    side[static_cast<size_t>(one)] = true;
    const cluster::Cluster* machine = deployment_.host(one).machine();
    if (machine != nullptr && world_.random.OneIn(3)) {
      for (const cluster::Node* replica : machine->myself().replicas) {
        if (const auto number = world_.HostOf(replica->id)) side[static_cast<size_t>(*number)] = true;
      }
    }
  }
  const bool there = !world_.random.OneIn(5), back = !there || !world_.random.OneIn(5);
  const Millis until = world_.now() + world_.Some(kCutOff);
  std::string members;
  for (int a = 0; a < world_.options.hosts; ++a) {
    if (!side[static_cast<size_t>(a)]) continue;
    members += fmt::format(" {}", a);
    for (int b = 0; b < world_.options.hosts; ++b) {
      if (side[static_cast<size_t>(b)]) continue;
      if (there) Block(a, b, until);
      if (back) Block(b, a, until);
    }
  }
  Trace(fmt::format("until {} hosts{} are cut off{}{}", until, members, there ? ", to others" : "",
                    back ? ", from others" : ""));
}

void ClusterFaults::Operate() {
  using Kind = cluster::Cluster::FailoverKind;
  const ClusterOptions& options = world_.options;
  const std::vector<int> replicas = operator_.Replicas(), primaries = operator_.Primaries();
  const uint64_t choice = world_.random.Uniform(10);
  if (choice < 5 && !replicas.empty()) {
    Kind kind = Kind::kOrderly;
    if (options.operator_forces && world_.random.OneIn(2))
      kind = world_.random.OneIn(2) ? Kind::kForced : Kind::kTakeover;
    operator_.FailOver(OneOf(replicas), kind);
  } else if (choice < 8 && options.operator_moves && !primaries.empty()) {
    const int slot = BusySlot(static_cast<int>(6 * world_.random.Uniform(kBusySlots / 6)));
    operator_.Move(slot, OneOf(primaries));
  } else if (options.operator_resets && !replicas.empty()) {
    operator_.Reset(OneOf(replicas), world_.random.OneIn(2));
  }
}

}  // namespace cinnabar::simulator
