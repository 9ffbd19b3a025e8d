#include "simulator/simulation.h"

#include <algorithm>
#include <utility>

#include "base/numbers.h"
#include "simulator/fingerprint.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kFaultyTime = 40'000;
constexpr Millis kQuietTime = 120'000;
constexpr size_t kTraceLines = 400;

}  // namespace

Simulation::Simulation(uint64_t seed, PlantedBug bug, Tracing tracing)
    : random_(seed), tracing_(tracing == Tracing::kOn) {
  const int count = 3 + static_cast<int>(random_.Uniform(4));
  ChooseOptions(bug);
  network_ = std::make_unique<Network>(events_, random_, count);
  for (int i = 0; i < count; ++i) {
    nodes_.push_back(std::make_unique<Node>(i, events_, *network_, random_, *this, options_));
    readers_.push_back({.node = i});
  }
  upstream_.resize(nodes_.size());
  isolated_until_.resize(nodes_.size());
  claims_.resize(nodes_.size());
}

Simulation::~Simulation() = default;

void Simulation::ChooseOptions(PlantedBug bug) {
  options_.backlog_bytes = random_.OneIn(2) ? replication::Backlog::kLimitMin : 128 * 1024;
  options_.backlog_ttl = random_.OneIn(3) ? 2000 : 0;
  options_.diskless = random_.OneIn(2);
  options_.diskless_delay = random_.OneIn(2) ? 0 : 1000;
  options_.loads_beside_old_data = random_.OneIn(2);
  options_.acknowledges_batches = random_.OneIn(2);
  options_.acks_needed = random_.Uniform(3);
  options_.bug = bug;
  value_bytes_ = random_.OneIn(2) ? 20 : 2000;
}

void Simulation::Every(Millis most, std::function<void()> work) {
  events_.After(Random(most), [this, most, work = std::move(work)] {
    if (!faulty_) return;
    work();
    Every(most, work);
  });
}

Report Simulation::Run() {
  for (auto& node : nodes_) node->Start(Node::Disk::kLost);
  Promote(0);
  Every(60, [this] { WriteSomething(); });
  Every(60, [this] { ReadSomething(); });
  Every(1200, [this] { GoWrong(); });
  Every(500, [this] { Operate(); });
  const Millis end = events_.now() + kFaultyTime;
  while (events_.now() < end && report_.broken.empty()) events_.RunUntil(events_.now() + 100);
  if (report_.broken.empty()) Conclude();
  report_.digest = network_->digest();
  report_.full_syncs = full_syncs;
  report_.continued = continued;
  report_.shifts = shifts;
  report_.answered = answered;
  return report_;
}

// Everything heals, and all must agree.
void Simulation::Conclude() {
  faulty_ = false;
  network_->HealAll();
  std::ranges::fill(isolated_until_, 0);
  for (auto& node : nodes_) {
    if (!node->running()) node->Start(Node::Disk::kKept);
  }
  if (!nodes_[static_cast<size_t>(primary_)]->is_primary()) Elect();
  Arrange();
  const Millis end = events_.now() + kQuietTime;
  while (events_.now() < end && report_.broken.empty()) {
    events_.RunUntil(events_.now() + 500);
    for (auto& node : nodes_) node->HoldPings();
    if (Agree()) break;
  }
  if (!report_.broken.empty()) return;
  if (!Agree()) {
    std::string all = "the nodes do not agree in the end:";
    for (auto& node : nodes_) all += "\n  " + node->Description();
    return Broken(std::move(all));
  }
  CheckAnswered(*nodes_[static_cast<size_t>(primary_)]);
}

bool Simulation::Agree() const {
  const Node& primary = *nodes_[static_cast<size_t>(primary_)];
  return std::ranges::all_of(nodes_, [&](const auto& node) {
    return (node->number() == primary_ || node->link_online()) && node->readable() && node->streaming() &&
           node->position() == primary.position() && node->data().mark() == primary.data().mark() &&
           node->data().entries() == primary.data().entries();
  });
}

// ---- clients ----

void Simulation::WriteSomething() {
  // Most know the primary; some still write to what was one.
  Node& node = random_.OneIn(5) ? Any() : *nodes_[static_cast<size_t>(primary_)];
  if (!node.running()) return;
  const uint64_t burst = random_.OneIn(30) ? 30 : 1;
  for (uint64_t i = 0; i < burst; ++i) {
    std::vector<std::vector<std::string>> commands;
    const uint64_t count = random_.OneIn(4) ? 2 + random_.Uniform(3) : 1;
    for (uint64_t k = 0; k < count; ++k) {
      const std::string key = "k" + Int64ToString(static_cast<int64_t>(random_.Uniform(20)));
      const std::string value(1 + random_.Uniform(value_bytes_),
                              static_cast<char>('a' + random_.Uniform(26)));
      switch (random_.Uniform(4)) {
        case 0:
          commands.push_back({"SET", key, value});
          break;
        case 1:
          commands.push_back({"APPEND", key, value});
          break;
        case 2:
          commands.push_back({"INCR", "n" + key});
          break;
        default:
          commands.push_back({"DEL", key});
          break;
      }
    }
    node.Write(commands);
  }
}

void Simulation::ReadSomething() {
  for (Reader& reader : readers_) {
    Node& node = *nodes_[static_cast<size_t>(reader.node)];
    if (!node.running() || node.beginnings() != reader.beginnings) {
      reader.last.reset();
      reader.beginnings = node.beginnings();
    }
    if (!node.running() || !node.readable() || !node.streaming()) continue;
    const Position position = node.position();
    if (reader.last && reader.last->id == position.id && position.offset < reader.last->offset) {
      Broken(node.Description() + ": a session has read " +
             Int64ToString(static_cast<int64_t>(reader.last->offset)) + " before");
    }
    reader.last = position;
  }
}

// ---- faults ----

void Simulation::GoWrong() {
  const int node = static_cast<int>(random_.Uniform(nodes_.size()));
  const uint64_t choice = random_.Uniform(100);
  if (choice < 35) {
    network_->CutAny();
  } else if (choice < 50) {
    network_->Block(node, Any().number(), events_.now() + Random(8000));
  } else if (choice < 58) {
    Isolate(node);
  } else if (choice < 72) {
    CrashNode(node);
  } else if (choice < 88) {
    if (nodes_[static_cast<size_t>(node)]->running()) nodes_[static_cast<size_t>(node)]->Save();
  } else if (choice < 94) {
    SwitchOver();
  } else {
    Arrange();
  }
}

void Simulation::Isolate(int node) {
  const Millis until = events_.now() + Random(10'000);
  isolated_until_[static_cast<size_t>(node)] = until;
  for (auto& other : nodes_) {
    network_->Block(node, other->number(), until);
    network_->Block(other->number(), node, until);
  }
}

void Simulation::CrashNode(int number) {
  Node& node = *nodes_[static_cast<size_t>(number)];
  if (!node.running()) return;
  if (tracing()) Trace(Int64ToString(events_.now()) + " crash of " + node.Description());
  node.Crash();
  const auto disk = random_.OneIn(3) ? Node::Disk::kLost : Node::Disk::kKept;
  events_.After(Random(6000), [&node, disk] {
    if (!node.running()) node.Start(disk);
  });
}

// ---- the operator ----

bool Simulation::Reachable(int node) const {
  return nodes_[static_cast<size_t>(node)]->running() &&
         events_.now() >= isolated_until_[static_cast<size_t>(node)];
}

void Simulation::Operate() {
  Node& primary = *nodes_[static_cast<size_t>(primary_)];
  if (Reachable(primary_) && primary.is_primary()) {
    primary_missed_since_.reset();
  } else if (!primary_missed_since_) {
    primary_missed_since_ = events_.now();
  } else if (options_.acks_needed == 0 && Reachable(primary_) && random_.OneIn(2)) {
    Promote(primary_);  // it was restarted, and goes on with what it has
  } else if (events_.now() - *primary_missed_since_ > 2000) {
    Elect();
  }
  for (auto& node : nodes_) {
    const int number = node->number();
    if (number != primary_ && Reachable(number)) node->Follow(upstream_[static_cast<size_t>(number)]);
  }
}

// The place of the history that has written its last byte among those that were appointed; -1: it is none of
// them.
int Simulation::RankOf(const Node& node) const {
  for (std::optional<Position> at = node.position(); at;) {
    const auto writer = truth_.WriterOf(at->id, at->offset);
    const auto it = std::find(appointed_.rbegin(), appointed_.rend(), writer);
    if (it != appointed_.rend()) return static_cast<int>(appointed_.rend() - it) - 1;
    // A deposed primary may have taken another id since, having written without a stream.
    at = writer ? truth_.GrownFrom(*writer) : std::nullopt;
  }
  return -1;
}

bool Simulation::MoreAdvanced(const Node& a, const Node& b) const {
  return std::pair(RankOf(a), a.offset()) > std::pair(RankOf(b), b.offset());
}

void Simulation::Elect() {
  const Node* best = nullptr;
  for (auto& node : nodes_) {
    if (!Reachable(node->number()) || !node->readable()) continue;
    if (best == nullptr || MoreAdvanced(*node, *best)) best = node.get();
  }
  if (best != nullptr) Promote(best->number());
}

// What FAILOVER does: the primary is well, and another one that has everything takes over.
void Simulation::SwitchOver() {
  Node& primary = *nodes_[static_cast<size_t>(primary_)];
  Node& next = Any();
  if (next.number() == primary_ || !Reachable(next.number()) || !Reachable(primary_)) return;
  if (!next.readable() || !primary.is_primary() || RankOf(next) < 0) return;
  if (options_.acks_needed > 0 && next.position() != primary.position()) return;
  Promote(next.number());
}

void Simulation::Promote(int number) {
  Node& node = *nodes_[static_cast<size_t>(number)];
  CheckAnswered(node);
  ++report_.promotions;
  primary_ = number;
  primary_missed_since_.reset();
  node.BecomePrimary();
  // Also one that had been deposed without hearing of it, and goes on under its id.
  appointed_.push_back(node.history().id());
  Arrange();
}

// Whom each replica follows: the primary, or another replica that does.
void Simulation::Arrange() {
  std::vector<int> placed = {primary_}, others;
  for (auto& node : nodes_) {
    if (node->number() != primary_) others.push_back(node->number());
  }
  std::shuffle(others.begin(), others.end(), random_);
  for (int other : others) {
    upstream_[static_cast<size_t>(other)] =
        random_.OneIn(3) ? placed[random_.Uniform(placed.size())] : primary_;
    placed.push_back(other);
  }
  for (int other : others) {
    if (Reachable(other)) nodes_[static_cast<size_t>(other)]->Follow(upstream_[static_cast<size_t>(other)]);
  }
}

bool Simulation::HasClaimed(int node, const Position& position) const {
  const Claims& claims = claims_[static_cast<size_t>(node)];
  if (claims.life != nodes_[static_cast<size_t>(node)]->life()) return false;
  return std::ranges::any_of(claims.greatest, [&](const Position& claim) {
    return claim.id == position.id && claim.offset >= position.offset;
  });
}

void Simulation::CheckAnswered(const Node& next) {
  std::erase_if(answered_, [&](const AnsweredWrite& write) {
    if (truth_.Includes(next.position(), write.position)) return false;
    for (int holder : write.holders) {
      if (!Reachable(holder) || !HasClaimed(holder, write.position)) continue;
      Broken("an acknowledged write is lost: " + std::string(write.position.id.text().substr(0, 6)) + ":" +
             Int64ToString(static_cast<int64_t>(write.position.offset)) + ", which node " +
             Int64ToString(holder) + " has, by " + next.Description());
    }
    ++report_.lost_with_their_holders;
    return true;
  });
}

// ---- what nodes tell ----

void Simulation::OnRoot(const Node& node, std::optional<Position> grown_from) {
  truth_.AddRoot(node.history().id(), node.offset(), node.data().mark(), grown_from);
  if (node.number() == primary_ && node.is_primary()) appointed_.push_back(node.history().id());
}

void Simulation::OnBranch(const Node& node) {
  truth_.AddBranch(node.history().id(), node.history().second_id(), node.offset());
}

void Simulation::OnWritten(const Node& node) {
  truth_.AddBorder(node.history().id(), node.offset(), node.data().mark());
}

void Simulation::OnState(const Node& node) {
  if (truth_.At(node.history().id(), node.offset()) != node.data().mark()) {
    Broken(node.Description() + ": its data is not what its history was at that offset");
  }
}

void Simulation::OnAnswered(const Node& node, AnsweredWrite write) {
  if (write.holders.size() < options_.acks_needed) Broken("answered before enough replicas had it");
  // A deposed primary promises what it cannot keep.
  if (node.number() != primary_) return;
  ++answered;
  answered_.push_back(std::move(write));
}

void Simulation::OnClaimed(const Node& node, const Position& applied) {
  Claims& claims = claims_[static_cast<size_t>(node.number())];
  if (claims.life != node.life()) claims = {.life = node.life(), .greatest = {}};
  for (Position& claim : claims.greatest) {
    if (claim.id != applied.id) continue;
    claim.offset = std::max(claim.offset, applied.offset);
    return;
  }
  claims.greatest.push_back(applied);
}

void Simulation::Broken(std::string what) {
  if (report_.broken.empty()) report_.broken = "at " + Int64ToString(events_.now()) + ": " + what;
}

void Simulation::Trace(std::string line) {
  report_.trace.push_back(std::move(line));
  if (report_.trace.size() > kTraceLines) report_.trace.pop_front();
}

}  // namespace cinnabar::simulator
