// Watches over a run with sentinels: keeps what is found to be broken, and the last steps; and looks at the
// replication below, with everything that was ever written (truth.h) and the writes that were answered.
//
// When is no answered write lost over a failover? A sentinel promotes the electable replica with the greatest
// offset that it has heard of. It knows nothing of histories: the greatest offset may be that of a deposed
// primary that has not synchronised yet; and a replica may acknowledge to the old primary while another one
// is promoted. So what is promised (KeepsAnsweredWrites) needs all of this:
//   - A write is answered when ALL other servers of the deployment have acknowledged it (acks_needed). Then
//     whoever is promoted has it.
//   - What a server has acknowledged survives its crash (durable), and it keeps its old data until a full
//     synchronisation is complete (loads_beside_old_data).
// With fewer acknowledgements the promise holds only when nothing but a crash of the primary happens: see
// MeasureFailover.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "simulator/sentinel_world.h"
#include "simulator/tracing.h"
#include "simulator/truth.h"

namespace cinnabar::simulator {

class SentinelWatch final : public Watch {
 public:
  struct Setup {
    Tracing tracing;
    const EventQueue& events;
    const SentinelOptions& options;
    // Enough replicas of this node have the write that ended there.
    std::function<void(int node, const Position& position)> answer;
  };
  explicit SentinelWatch(Setup setup) : setup_(std::move(setup)) {}

  bool KeepsAnsweredWrites() const;
  // The primary has every write that was answered, as far as that is promised.
  void CheckAnswered(const Node& primary);
  // How many of the answered writes it has not.
  uint64_t CountLost(const Node& primary) const;

  const std::string& broken() const { return broken_; }
  const std::deque<std::string>& trace() const { return trace_; }
  uint64_t promotions() const { return promotions_; }

  // Watch
  void OnRoot(const Node& node, std::optional<Position> grown_from) override;
  void OnBranch(const Node& node) override;
  void OnWritten(const Node& node) override;
  void OnState(const Node& node) override;
  void OnAnswered(const Node& node, AnsweredWrite write) override;
  void OnClaimed(const Node&, const Position&) override {}
  void Broken(std::string what) override;
  bool tracing() const override { return setup_.tracing == Tracing::kOn; }
  void Trace(std::string line) override;

 private:
  const Setup setup_;
  Truth truth_;
  std::vector<Position> answered_;
  uint64_t promotions_ = 0;
  std::string broken_;
  std::deque<std::string> trace_;
};

}  // namespace cinnabar::simulator
