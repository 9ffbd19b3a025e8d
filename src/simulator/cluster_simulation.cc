#include "simulator/cluster_simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "simulator/cluster_keys.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kCreation = 60'000;
constexpr Millis kFaultyTime = 70'000;
constexpr Millis kStaysFor = 10'000;
constexpr Millis kStep = 100;
constexpr Millis kHelpPeriod = 1000;
constexpr int kMoves = 3;

uint64_t Pick(Random& random, std::initializer_list<uint64_t> choices) {
  return choices.begin()[random.Uniform(choices.size())];
}

}  // namespace

// Nobody is let back in before twice the timeout, elections are tried again after four times it, and what was
// forgotten is not believed for a minute.
Millis ClusterAgreementBound(const ClusterOptions& options) {
  return 60'000 + 20 * options.machine.node_timeout;
}

ClusterSimulation::ClusterSimulation(uint64_t seed, ClusterBug bug, Tracing tracing)
    : deployment_(seed, tracing) {
  options_ = Choose(bug);
  deployment_.Build(options_);
  operator_.emplace(deployment_);
  faults_.emplace(deployment_, *operator_);
}

ClusterOptions ClusterSimulation::Choose(ClusterBug bug) {
  Random& random = deployment_.random();
  ClusterOptions options;
  options.bug = bug;
  options.hosts = 6 + static_cast<int>(random.Uniform(7));
  options.primaries = 3 + static_cast<int>(random.Uniform(static_cast<uint64_t>(options.hosts / 2 - 2)));
  options.spares = random.OneIn(3) ? 1 : 0;
  // A primary without a replica would be no use to anybody here.
  options.primaries = std::min(options.primaries, (options.hosts - options.spares) / 2);
  options.primaries = std::max(options.primaries, 3);
  if (options.hosts - options.spares < 2 * options.primaries) options.spares = 0;
  options.clients = 1 + static_cast<int>(random.Uniform(3));
  options.machine.node_timeout = static_cast<Millis>(Pick(random, {1000, 2000, 5000}));
  options.machine.replica_ping_period = 1000;
  options.machine.allow_replica_migration = random.OneIn(3);
  options.machine.require_full_coverage = !random.OneIn(4);
  options.machine.replica_validity_factor = random.OneIn(5) ? 0 : 10;
  options.machine.form = random.OneIn(2) ? cluster::NodesForm::kOld : cluster::NodesForm::kNew;
  options.acks = !random.OneIn(3);
  NodeOptions& node = options.node;
  node.backlog_bytes = 128 * 1024;
  node.diskless = random.OneIn(2);
  node.loads_beside_old_data = true;
  node.databases = 1;
  ChooseFaults(options);
  if (bug == ClusterBug::kAnswersTooEarly) {
    // What is lost is seen only where much is promised.
    options.acks = options.durable = true;
    options.old_files = options.operator_forces = options.operator_moves = false;
    options.machine.allow_replica_migration = false;
    options.machine.replica_validity_factor = 10;
    options.clients = 3;
    options.fault_period = 1000;
  }
  return options;
}

void ClusterSimulation::ChooseFaults(ClusterOptions& options) {
  Random& random = deployment_.random();
  options.drift_per_million = random.OneIn(2) ? 10'000 : 0;
  options.durable = !random.OneIn(5);
  options.old_files = random.OneIn(12);
  options.disks_fill = random.OneIn(3);
  options.save_fails_one_in = random.OneIn(4) ? 20 : 0;
  options.operator_forces = random.OneIn(4);
  options.operator_moves = random.OneIn(3);
  options.operator_resets = random.OneIn(6);
  options.fault_period = static_cast<Millis>(Pick(random, {1000, 2500, 6000}));
}

// What nodes cannot put right themselves.
bool ClusterSimulation::NeedsPeople() const {
  return !options_.durable || options_.operator_resets || options_.operator_moves || options_.old_files ||
         options_.spares > 0;
}

void ClusterSimulation::RunUntil(Millis time) {
  EventQueue& events = deployment_.events();
  while (events.now() < time && !broken()) events.RunUntil(std::min(time, events.now() + kStep));
}

ClusterReport ClusterSimulation::Run() {
  MakeCluster();
  if (!broken()) MoveSomeSlots();
  if (!broken()) {
    faults_->Begin();
    RunUntil(deployment_.events().now() + kFaultyTime);
    faults_->End();
    for (auto& client : deployment_.clients()) client->Rest();
  }
  if (!broken()) Agree("after all faults");
  if (!broken() && report_.misled == 0 && deployment_.random().OneIn(2) && LoseAPrimary()) {
    Agree("after a primary was lost");
    faults_->End();
    if (!broken()) Agree("after it came back");
  }
  report_.broken = deployment_.watch().broken();
  report_.digest = deployment_.digest();
  report_.elected = deployment_.checks().elected();
  report_.votes = deployment_.checks().votes();
  report_.unvoted = deployment_.checks().unvoted();
  report_.promotions = deployment_.watch().promotions();
  report_.moved = operator_->moved();
  report_.writes = deployment_.watch().writes;
  report_.promised =
      ClusterWatch::KeepsAnsweredWrites(options_) ? deployment_.watch().promised().size() : uint64_t{0};
  report_.doubtful = deployment_.watch().doubtful;
  report_.trace = deployment_.watch().trace();
  return report_;
}

void ClusterSimulation::MakeCluster() {
  EventQueue& events = deployment_.events();
  deployment_.Start();
  operator_->Create();
  const Millis end = events.now() + kCreation;
  std::string wrong = "not begun";
  Millis helped_at = events.now() + 5 * kHelpPeriod;
  while (!wrong.empty() && !broken()) {
    RunUntil(events.now() + kStep);
    wrong = deployment_.Disagreement();
    if (options_.spares > 0 && events.now() - helped_at >= kHelpPeriod) {
      helped_at = events.now();
      operator_->PutRight();
    }
    if (events.now() > end) deployment_.BreakWithViews("the cluster is not made: " + wrong);
  }
  operator_->StopCreating();
}

void ClusterSimulation::MoveSomeSlots() {
  EventQueue& events = deployment_.events();
  for (int i = 0; i < kMoves && !broken(); ++i) {
    const std::vector<int> primaries = operator_->Primaries();
    const int slot = BusySlot(static_cast<int>(deployment_.random().Uniform(kBusySlots)));
    operator_->Move(slot, primaries[deployment_.random().Uniform(primaries.size())]);
    const Millis end = events.now() + kCreation;
    do {
      RunUntil(events.now() + kStep);
      if (events.now() > end) deployment_.BreakWithViews("slots do not move: " + deployment_.Disagreement());
    } while (!broken() && operator_->moving());
  }
  Agree("after slots were moved");
}

void ClusterSimulation::Agree(const std::string& when) {
  EventQueue& events = deployment_.events();
  const Millis begin = events.now();
  Millis agreed_at = begin, helped_at = begin;
  std::string wrong;
  report_.bound = ClusterAgreementBound(options_);
  while (!broken() && events.now() - agreed_at < kStaysFor) {
    RunUntil(events.now() + kStep);
    if (NeedsPeople() && events.now() - helped_at >= kHelpPeriod) {
      helped_at = events.now();
      operator_->PutRight();
    }
    std::string now_wrong = deployment_.Disagreement();
    if (now_wrong.empty()) continue;
    agreed_at = events.now();
    if (deployment_.watch().tracing() && now_wrong != wrong)
      deployment_.watch().Trace(fmt::format("{} {} they do not agree: {}", agreed_at, when, now_wrong));
    wrong = std::move(now_wrong);
    if (agreed_at - begin <= report_.bound) continue;
    if (options_.old_files) {
      report_.misled = 1;
      return;
    }
    deployment_.BreakWithViews(fmt::format("{} they do not agree: {}", when, wrong));
  }
  if (broken()) return;
  report_.agreed_after = std::max(report_.agreed_after, agreed_at - begin);
  deployment_.CheckPromises();
}

bool ClusterSimulation::LoseAPrimary() {
  std::vector<int> candidates;
  for (int host : operator_->Primaries()) {
    if (!deployment_.host(host).machine()->myself().replicas.empty()) candidates.push_back(host);
  }
  if (candidates.empty() || operator_->Primaries().size() < 3) return false;
  faults_->Crash(candidates[deployment_.random().Uniform(candidates.size())]);
  return true;
}

}  // namespace cinnabar::simulator
