#include "simulator/sentinel_faults.h"

#include <fmt/format.h>

namespace cinnabar::simulator {
namespace {

constexpr Millis kServerAway = 15'000;
constexpr Millis kSentinelAway = 8'000;
constexpr Millis kFrozen = 12'000;
constexpr Millis kCutOff = 15'000;
constexpr Millis kWallJump = 100'000'000;

}  // namespace

void SentinelFaults::Trace(std::string_view what) {
  if (!world_.watch.tracing()) return;
  world_.watch.Trace(fmt::format("{} fault: {}", world_.now(), what));
}

void SentinelFaults::Begin() {
  active_ = world_.faulty = true;
  Next();
}

void SentinelFaults::Later(Millis most, std::function<void()> work) {
  world_.events.After(world_.Some(most), [this, work = std::move(work)] {
    if (active_) work();
  });
}

void SentinelFaults::Next() {
  Later(2 * world_.options.fault_period, [this] {
    GoWrong();
    Next();
  });
}

void SentinelFaults::End() {
  active_ = world_.faulty = false;
  Trace("all faults end");
  world_.network.HealAll();
  world_.network.SetDelays({.usual = 8, .slow = 8, .one_in = 40});
  for (int i = 0; i < world_.options.servers; ++i) {
    ThawServer(i);
    StartServer(i);
  }
  for (int i = 0; i < world_.options.sentinels; ++i) {
    deployment_.sentinels()[static_cast<size_t>(i)]->FillDisk(0);
    deployment_.sentinels()[static_cast<size_t>(i)]->SimulateFailures(0);
    ThawSentinel(i);
    StartSentinel(i);
  }
}

// ---- one machine ----

void SentinelFaults::CrashServer(int number) {
  ServerHost& server = *deployment_.servers()[static_cast<size_t>(number)];
  if (server.running()) server.Crash();
}

void SentinelFaults::StartServer(int number) {
  ServerHost& server = *deployment_.servers()[static_cast<size_t>(number)];
  if (server.running()) return;
  const bool lost = !world_.options.durable && world_.random.OneIn(3);
  server.Start(lost ? Node::Disk::kLost : Node::Disk::kKept);
}

void SentinelFaults::FreezeServer(int number) {
  Trace(fmt::format("server {} is stopped", number));
  deployment_.servers()[static_cast<size_t>(number)]->node().gate().Close();
}

void SentinelFaults::ThawServer(int number) {
  ServerHost& server = *deployment_.servers()[static_cast<size_t>(number)];
  if (!server.node().gate().closed()) return;
  Trace(fmt::format("server {} goes on", number));
  server.node().gate().Open();
}

void SentinelFaults::CrashSentinel(int number) {
  SentinelHost& sentinel = *deployment_.sentinels()[static_cast<size_t>(number)];
  if (sentinel.machine() == nullptr) return;
  Trace(fmt::format("sentinel {} crashes", number));
  sentinel.StopProcess();
}

void SentinelFaults::StartSentinel(int number) {
  const bool older = active_ && world_.options.old_files && world_.random.OneIn(3);
  deployment_.sentinels()[static_cast<size_t>(number)]->Start(older ? 1 + world_.random.Uniform(3) : 0);
}

void SentinelFaults::ThawSentinel(int number) {
  SentinelHost& sentinel = *deployment_.sentinels()[static_cast<size_t>(number)];
  if (!sentinel.gate().closed()) return;
  Trace(fmt::format("sentinel {} goes on", number));
  sentinel.gate().Open();
}

// ---- choosing ----

int SentinelFaults::SomeServer() {
  const auto primary = deployment_.NamedPrimary();
  if (primary && !world_.random.OneIn(3)) return *primary;
  return static_cast<int>(world_.random.Uniform(static_cast<uint64_t>(world_.options.servers)));
}

int SentinelFaults::SomeSentinel() {
  return static_cast<int>(world_.random.Uniform(static_cast<uint64_t>(world_.options.sentinels)));
}

void SentinelFaults::GoWrong() {
  const uint64_t choice = world_.random.Uniform(100);
  if (choice < 30) {
    GoWrongWithServer();
  } else if (choice < 50) {
    GoWrongWithSentinel();
  } else if (choice < 85) {
    GoWrongWithLinks();
  } else {
    Operate();
  }
}

void SentinelFaults::GoWrongWithServer() {
  const int number = SomeServer();
  ServerHost& server = *deployment_.servers()[static_cast<size_t>(number)];
  if (!server.running() || server.node().gate().closed()) return;
  const uint64_t choice = world_.random.Uniform(10);
  if (choice < 5) {
    CrashServer(number);
    Later(world_.random.OneIn(3) ? 500 : kServerAway, [this, number] { StartServer(number); });
  } else if (choice < 8) {
    FreezeServer(number);
    Later(kFrozen, [this, number] { ThawServer(number); });
  } else {
    server.node().Save();
  }
}

void SentinelFaults::GoWrongWithSentinel() {
  const int number = SomeSentinel();
  SentinelHost& sentinel = *deployment_.sentinels()[static_cast<size_t>(number)];
  if (sentinel.machine() == nullptr || sentinel.gate().closed()) return;
  const uint64_t choice = world_.random.Uniform(10);
  if (choice < 4) {
    CrashSentinel(number);
    Later(kSentinelAway, [this, number] { StartSentinel(number); });
  } else if (choice < 7) {
    Trace(fmt::format("sentinel {} is stopped", number));
    sentinel.gate().Close();
    Later(world_.random.OneIn(2) ? 1500 : kFrozen, [this, number] { ThawSentinel(number); });
  } else if (choice < 8) {
    Trace(fmt::format("the wall clock of sentinel {} is set", number));
    sentinel.clock().JumpWall(world_.Some(2 * kWallJump) - kWallJump);
  } else if (choice < 9) {
    sentinel.SimulateFailures(static_cast<uint32_t>(world_.random.Uniform(4)));
  } else if (world_.options.disks_fill) {
    Trace(fmt::format("the disk of sentinel {} is full", number));
    sentinel.FillDisk(world_.now() + world_.Some(kFrozen));
  }
}

void SentinelFaults::GoWrongWithLinks() {
  const uint64_t choice = world_.random.Uniform(10);
  if (choice < 2) {
    for (uint64_t cuts = 1 + world_.random.Uniform(8); cuts > 0; --cuts) world_.network.CutAny();
  } else if (choice < 4) {
    const int from = SomeNode(), to = SomeNode();
    Trace(fmt::format("nothing passes from {} to {}", from, to));
    world_.network.Block(from, to, world_.now() + world_.Some(kCutOff));
  } else if (choice < 6) {
    const int from = SomeNode(), to = SomeNode();
    world_.network.Slow(from, to, world_.Some(3000), world_.now() + world_.Some(kCutOff));
  } else {
    Partition();
  }
}

void SentinelFaults::Partition() {
  std::vector<bool> side(static_cast<size_t>(world_.nodes()));
  // Half of them split everything; the others cut off one server, mostly the primary, with some clients.
  if (world_.random.OneIn(2)) {
    for (size_t i = 0; i < side.size(); ++i) side[i] = world_.random.OneIn(2);
  } else {
    side[static_cast<size_t>(SomeServer())] = true;
    for (int i = 0; i < world_.options.clients; ++i) {
      side[static_cast<size_t>(world_.ClientNode(i))] = world_.random.OneIn(2);
    }
    // Sometimes a sentinel stays with it.
    if (world_.random.OneIn(3)) side[static_cast<size_t>(world_.SentinelNode(SomeSentinel()))] = true;
  }
  const bool there = !world_.random.OneIn(5), back = !there || !world_.random.OneIn(5);
  const Millis until = world_.now() + world_.Some(kCutOff);
  std::string members;
  for (int a = 0; a < world_.nodes(); ++a) {
    if (!side[static_cast<size_t>(a)]) continue;
    members += fmt::format(" {}", a);
    for (int b = 0; b < world_.nodes(); ++b) {
      if (side[static_cast<size_t>(b)]) continue;
      if (there) world_.network.Block(a, b, until);
      if (back) world_.network.Block(b, a, until);
    }
  }
  Trace(fmt::format("until {} nodes{} are cut off{}{}", until, members, there ? ", to others" : "",
                    back ? ", from others" : ""));
}

void SentinelFaults::Operate() {
  SentinelHost& sentinel = *deployment_.sentinels()[static_cast<size_t>(SomeSentinel())];
  if (sentinel.machine() == nullptr || sentinel.gate().closed()) return;
  if (world_.options.operator_forces && world_.random.OneIn(2)) {
    sentinel.Failover();
  } else if (world_.options.operator_resets && world_.random.OneIn(2)) {
    sentinel.Reset();
  }
}

}  // namespace cinnabar::simulator
