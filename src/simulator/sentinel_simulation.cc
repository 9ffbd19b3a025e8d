#include "simulator/sentinel_simulation.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::simulator {
namespace {

using sentinel::FailoverState;

constexpr Millis kSettling = 15'000;
constexpr Millis kFaultyTime = 70'000;
constexpr Millis kStaysFor = 15'000;
constexpr Millis kStep = 100;

constexpr Millis kTilt = 30'000;
constexpr Millis kInfoPeriod = 10'000;

uint64_t Pick(Random& random, std::initializer_list<uint64_t> choices) {
  return choices.begin()[random.Uniform(choices.size())];
}

}  // namespace

Millis AgreementBound(const SentinelOptions& options) {
  return kTilt + 2 * options.failover_timeout + 12 * options.down_after + 3 * kInfoPeriod;
}

SentinelSimulation::SentinelSimulation(uint64_t seed, SentinelBug bug, Tracing tracing)
    : deployment_(seed, tracing) {
  options_ = Choose(bug);
  deployment_.Build(options_);
  faults_.emplace(deployment_);
}

SentinelOptions SentinelSimulation::Choose(SentinelBug bug) {
  Random& random = deployment_.random();
  SentinelOptions options;
  options.bug = bug;
  options.servers = 3 + static_cast<int>(random.Uniform(3));
  options.sentinels = 3 + static_cast<int>(random.Uniform(3));
  options.clients = 1 + static_cast<int>(random.Uniform(3));
  options.quorum = options.sentinels / 2 + 1;
  if (random.OneIn(6)) {
    options.quorum = 1 + static_cast<int>(random.Uniform(static_cast<uint64_t>(options.sentinels)));
  }
  options.down_after = static_cast<Millis>(Pick(random, {600, 1000, 2000, 4000}));
  options.failover_timeout = static_cast<Millis>(Pick(random, {3000, 8000, 20'000}));
  if (options.servers > 3 && random.OneIn(3)) options.never_promoted = options.servers - 1;
  options.parallel_syncs = random.OneIn(2) ? 1 : 3;
  NodeOptions& node = options.node;
  node.backlog_bytes = random.OneIn(2) ? replication::Backlog::kLimitMin : 128 * 1024;
  node.diskless = random.OneIn(2);
  node.loads_beside_old_data = random.OneIn(4) ? false : true;
  node.acknowledges_batches = random.OneIn(2);
  if (bug == SentinelBug::kCountsReplicasTwice) node.bug = PlantedBug::kCountsReplicasTwice;
  node.acks_needed = random.OneIn(3) ? random.Uniform(2) : static_cast<size_t>(options.servers - 1);
  ChooseFaults(options);
  return options;
}

void SentinelSimulation::ChooseFaults(SentinelOptions& options) {
  Random& random = deployment_.random();
  options.drift_per_million = random.OneIn(2) ? 10'000 : 0;
  options.durable = !random.OneIn(4);
  options.operator_forces = random.OneIn(3);
  options.operator_resets = random.OneIn(4);
  options.old_files = random.OneIn(16);
  options.disks_fill = random.OneIn(3);
  options.save_fails_one_in = random.OneIn(4) ? 20 : 0;
  options.rewrites_fail = random.OneIn(4);
  options.fault_period = static_cast<Millis>(Pick(random, {1000, 2500, 6000}));
  if (random.OneIn(2)) options.crashes_at = static_cast<FailoverState>(1 + random.Uniform(6));
}

SentinelReport SentinelSimulation::Run() {
  EventQueue& events = deployment_.events();
  deployment_.Start();
  if (options_.crashes_at && deployment_.watch().tracing()) {
    deployment_.watch().Trace(
        fmt::format("sentinels crash at step {}", static_cast<int>(*options_.crashes_at)));
  }
  // They get to know each other first.
  const Millis settled = events.now() + kSettling, end = settled + kFaultyTime;
  while (events.now() < settled && !broken()) events.RunUntil(events.now() + kStep);
  faults_->Begin();
  while (events.now() < end && !broken()) events.RunUntil(events.now() + kStep);
  faults_->End();
  for (auto& client : deployment_.clients()) client->Rest();
  if (!broken()) Agree("after all faults");
  const bool go_on = !broken() && report_.stranded + report_.misled == 0;
  if (go_on && deployment_.random().OneIn(2) && LoseThePrimary()) {
    Agree("after the primary was lost");
    faults_->End();
    if (!broken()) Agree("after all came back");
  }
  report_.broken = deployment_.watch().broken();
  report_.digest = deployment_.digest();
  report_.elected = deployment_.checks().elected();
  report_.votes = deployment_.checks().votes();
  report_.forced = deployment_.checks().forced();
  report_.promotions = deployment_.watch().promotions();
  report_.answered = deployment_.watch().answered;
  report_.kept = deployment_.watch().KeepsAnsweredWrites() ? deployment_.watch().answered : 0;
  report_.trace = deployment_.watch().trace();
  return report_;
}

void SentinelSimulation::Agree(const char* when) {
  EventQueue& events = deployment_.events();
  const Millis begin = events.now();
  Millis agreed_at = begin;
  std::string wrong;
  report_.bound = AgreementBound(options_);
  while (!broken() && events.now() - agreed_at < kStaysFor) {
    events.RunUntil(events.now() + kStep);
    const auto primary = deployment_.NamedPrimary();
    std::string now_wrong = deployment_.Disagreement();
    if (now_wrong.empty() && primary == last_primary_) continue;
    last_primary_ = primary;
    agreed_at = events.now();
    if (!now_wrong.empty()) wrong = std::move(now_wrong);
    if (agreed_at - begin <= report_.bound) continue;
    if (options_.old_files || IsStranded()) {
      ++(options_.old_files ? report_.misled : report_.stranded);
      return;
    }
    deployment_.watch().Broken(fmt::format("{} they do not agree: {}", when, wrong));
  }
  if (broken()) return;
  report_.agreed_after = std::max(report_.agreed_after, agreed_at - begin);
  if (deployment_.watch().tracing())
    deployment_.watch().Trace(fmt::format("{} all agree {}", agreed_at, when));
  deployment_.watch().CheckAnswered(deployment_.servers()[static_cast<size_t>(*last_primary_)]->node());
}

// Whether nobody can be promoted any more: see the top of the header.
bool SentinelSimulation::IsStranded() {
  return std::ranges::all_of(deployment_.sentinels(), [](const auto& host) {
    if (host->machine() == nullptr) return true;
    const auto& primary = *host->machine()->primaries().begin()->second;
    return primary.down && std::ranges::all_of(primary.replicas, [&](const auto& entry) {
             const sentinel::Replica& replica = *entry.second;
             return replica.link_down > 10 * primary.down_after + host->machine()->now() - primary.down_since;
           });
  });
}

// A server that all sentinels know, and that may be promoted.
std::optional<int> SentinelSimulation::SomeGoodReplica(int primary) {
  for (int i = 0; i < options_.servers; ++i) {
    if (i == primary || i == options_.never_promoted) continue;
    if (std::ranges::all_of(deployment_.sentinels(), [i](const auto& host) { return host->Knows(i); }))
      return i;
  }
  return std::nullopt;
}

bool SentinelSimulation::LoseThePrimary() {
  Random& random = deployment_.random();
  const int primary = *deployment_.NamedPrimary();
  const auto kept = SomeGoodReplica(primary);
  if (!kept) return false;
  faults_->CrashServer(primary);
  if (random.OneIn(2)) {
    const int needed = std::max(options_.quorum, options_.sentinels / 2 + 1);
    for (int left = options_.sentinels - needed; left > 0; --left) {
      faults_->CrashSentinel(static_cast<int>(random.Uniform(static_cast<uint64_t>(options_.sentinels))));
    }
  }
  if (!random.OneIn(3)) return true;
  for (int i = 0; i < options_.servers; ++i) {
    if (i != primary && i != kept) faults_->CrashServer(i);
  }
  return true;
}

// ---- measuring ----

FailoverResult MeasureFailover(uint64_t seed, const FailoverTrial& trial, Tracing tracing) {
  SentinelDeployment deployment(seed, tracing);
  Random& random = deployment.random();
  SentinelOptions options;
  options.servers = 3 + static_cast<int>(random.Uniform(3));
  options.sentinels = random.OneIn(2) ? 3 : 5;
  options.quorum = options.sentinels / 2 + 1;
  options.down_after = static_cast<Millis>(Pick(random, {1000, 5000, 30'000}));
  options.failover_timeout = 60'000;
  options.node.acks_needed = trial.acks_needed;
  options.bug = trial.bug;
  options.node.loads_beside_old_data = true;
  deployment.Build(options);
  deployment.world().network.SetDelays({.usual = 2, .slow = 10, .one_in = 40});
  deployment.Start();
  EventQueue& events = deployment.events();
  events.RunUntil(events.now() + 40'000 + static_cast<Millis>(random.Uniform(10'000)));

  FailoverResult measured{.down_after = options.down_after};
  if (const std::string wrong = deployment.Disagreement(); !wrong.empty()) {
    measured.broken = "in the beginning: " + wrong;
    return measured;
  }
  SentinelFaults faults(deployment);
  const int old = *deployment.NamedPrimary();
  if (trial.failure == FailoverTrial::Failure::kKilled) {
    faults.CrashServer(old);
  } else {
    faults.FreezeServer(old);
  }
  const Millis begin = events.now(), end = begin + options.down_after + 4 * options.failover_timeout;
  std::optional<int> named = old;
  while (events.now() < end && (!named || *named == old)) {
    events.RunUntil(events.now() + 1);
    named = deployment.NamedPrimary();
  }
  measured.broken = deployment.watch().broken();
  measured.answered = deployment.watch().answered;
  measured.trace = deployment.watch().trace();
  if (!named || *named == old) return measured;
  measured.named_after = events.now() - begin;
  measured.lost = deployment.watch().CountLost(deployment.servers()[static_cast<size_t>(*named)]->node());
  return measured;
}

}  // namespace cinnabar::simulator
