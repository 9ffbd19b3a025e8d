// One run: some nodes, clients that write and read, an operator who appoints primaries and tells the others
// whom to follow, and everything that goes wrong meanwhile. Then the faults end, and all nodes must agree.
//
// A run is a function of its seed. What is checked, all the time:
//   - A node that says it is at an offset of a history has exactly the data of that history at that offset:
//   no
//     gap, no repeat, never the middle of a transaction; also at the moment when it is told to continue.
//   - What one session reads from one node does not go back, as long as the node stays with one history.
//   - When the most advanced node that can be reached is promoted, no write is lost that was answered after N
//     acknowledgements, while one who acknowledged it can be reached.
//   - In the end, when everything can be reached and nobody writes, all have the same id, offset and data.
//
// Most advanced: the one whose last byte was written under the id that was appointed last, then the greatest
// offset. An offset alone says nothing: a deposed primary's may be greater. Nor does an id alone: a replica
// learns the new id with +CONTINUE while it may still be behind the offset at which that id begins (the new
// primary's second_repl_offset), and then another one that has only the old id may have more.
//
// What is no fault: that writes are lost which a deposed primary has answered, since nobody had told it yet;
// or which were acknowledged by a replica that then lost its memory, or emptied its data set for a full
// synchronisation (loads_beside_old_data).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulator/node.h"
#include "simulator/tracing.h"
#include "simulator/truth.h"

namespace cinnabar::simulator {

struct Report {
  std::string broken;   // empty: everything held
  uint64_t digest = 0;  // of all bytes that arrived, with their times
  uint64_t full_syncs = 0;
  uint64_t continued = 0;
  uint64_t shifts = 0;
  uint64_t answered = 0;  // writes acknowledged by enough replicas
  uint64_t promotions = 0;
  uint64_t lost_with_their_holders = 0;
  std::deque<std::string> trace;  // the last lines, if it was asked for
};

class Simulation final : public Watch {
 public:
  explicit Simulation(uint64_t seed, PlantedBug bug = PlantedBug::kNone, Tracing tracing = Tracing::kOff);
  ~Simulation() override;

  Report Run();

  // Watch
  void OnRoot(const Node& node, std::optional<Position> grown_from) override;
  void OnBranch(const Node& node) override;
  void OnWritten(const Node& node) override;
  void OnState(const Node& node) override;
  void OnAnswered(const Node& node, AnsweredWrite write) override;
  void OnClaimed(const Node& node, const Position& applied) override;
  void Broken(std::string what) override;
  bool tracing() const override { return tracing_; }
  void Trace(std::string line) override;

 private:
  struct Reader {
    int node;
    uint64_t beginnings = 0;
    std::optional<Position> last;
  };
  // What a node has acknowledged in its present life.
  struct Claims {
    uint64_t life = 0;
    std::vector<Position> greatest;  // of each history
  };

  void ChooseOptions(PlantedBug bug);
  void Every(Millis most, std::function<void()> work);
  Millis Random(Millis most) { return 1 + static_cast<Millis>(random_.Uniform(static_cast<uint64_t>(most))); }
  Node& Any() { return *nodes_[random_.Uniform(nodes_.size())]; }

  void WriteSomething();
  void ReadSomething();
  void GoWrong();
  void Isolate(int node);
  void CrashNode(int node);
  void Operate();
  void Elect();
  void SwitchOver();
  void Promote(int node);
  void CheckAnswered(const Node& next);
  bool HasClaimed(int node, const Position& position) const;
  void Arrange();
  bool Reachable(int node) const;
  bool MoreAdvanced(const Node& a, const Node& b) const;
  int RankOf(const Node& node) const;
  bool Agree() const;
  void Conclude();

  EventQueue events_;
  cinnabar::Random random_;
  const bool tracing_;
  NodeOptions options_;
  std::unique_ptr<Network> network_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Truth truth_;
  Report report_;
  bool faulty_ = true;
  size_t value_bytes_ = 10;

  int primary_ = 0;
  std::vector<ReplicationId> appointed_;  // ids of primaries, in order
  std::vector<int> upstream_;             // whom each node shall follow
  std::vector<Millis> isolated_until_;
  std::optional<Millis> primary_missed_since_;
  std::vector<AnsweredWrite> answered_;
  std::vector<Claims> claims_;
  std::vector<Reader> readers_;
};

}  // namespace cinnabar::simulator
