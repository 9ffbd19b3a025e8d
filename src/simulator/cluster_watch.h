// Keeps what is found to be broken in a run of a cluster, its last steps, and the writes that were promised
// to be kept.
//
// When is no answered write lost? A write is answered when all replicas that its primary knows have
// acknowledged it, and at least one has; the watch does not believe the count and looks who they were. Then:
//   - Whoever is elected has it: a replica whose link was never up, or down for longer than
//     cluster-replica-validity-factor allows, does not stand for election.
//   - What was acknowledged survives a crash (durable), and a replica keeps its old data until a full
//     synchronisation is complete.
// Not promised, because people ask for it (CLUSTER FAILOVER FORCE and TAKEOVER, which ask for no data), or
// because nobody can know of a replica that comes meanwhile (replicas that move to other primaries).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "simulator/cluster_world.h"
#include "simulator/tracing.h"

namespace cinnabar::simulator {

class ClusterWatch final : public Watch {
 public:
  struct Setup {
    Tracing tracing;
    const EventQueue& events;
    // So many replicas as were asked for have acknowledged what this host has written up to there.
    std::function<void(int host, const AnsweredWrite& write)> acknowledged;
  };
  explicit ClusterWatch(Setup setup) : setup_(std::move(setup)) {}

  static bool KeepsAnsweredWrites(const ClusterOptions& options) {
    return options.acks && options.durable && !options.old_files && !options.operator_forces &&
           !options.machine.allow_replica_migration && options.machine.replica_validity_factor > 0;
  }
  void Promise(std::string key) { promised_.push_back(std::move(key)); }
  const std::vector<std::string>& promised() const { return promised_; }

  const std::string& broken() const { return broken_; }
  const std::deque<std::string>& trace() const { return trace_; }
  uint64_t promotions() const { return promotions_; }
  uint64_t writes = 0;    // of clients, that a node has taken
  uint64_t doubtful = 0;  // not all that the primary knows had them

  // Watch
  void OnRoot(const Node&, std::optional<Position>) override {}
  void OnBranch(const Node&) override { ++promotions_; }
  void OnWritten(const Node&) override {}
  void OnState(const Node&) override {}
  void OnAnswered(const Node& node, AnsweredWrite write) override {
    setup_.acknowledged(node.number(), write);
  }
  void OnClaimed(const Node&, const Position&) override {}
  void Broken(std::string what) override;
  bool tracing() const override { return setup_.tracing == Tracing::kOn; }
  void Trace(std::string line) override;

 private:
  const Setup setup_;
  std::vector<std::string> promised_;
  uint64_t promotions_ = 0;
  std::string broken_;
  std::deque<std::string> trace_;
};

}  // namespace cinnabar::simulator
