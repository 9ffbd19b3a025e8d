// One run of sentinels: a deployment, clients that write, and everything that goes wrong (sentinel_faults.h).
// Then the faults end, and all must agree. A run is a function of its seed.
//
// What is checked all the time stands in sentinel_checks.h and, for writes, in sentinel_watch.h; that
// replication does what it says is checked as well (simulation.h). When the faults end, with everything
// alive:
//
//   Within AgreementBound of virtual time all sentinels name the same primary in the same config epoch, it is
//   a primary, all other servers follow it and their links are online; and it stays so. A server that all
//   sentinels have forgotten (SENTINEL RESET while it was away) is left out.
//
// Then, in every other run, the primary dies for good, and sometimes a minority of the sentinels and all
// replicas but one with it: the same must come true without them, and once more when they come back.
//
// Needed for that: an electable replica. One that is cut off from its primary for longer than the primary is
// known to be down (by ten times down-after) is none, by the rules of Sentinel. If all replicas are like that
// when faults end, and the named primary is none, people must help; such runs are counted (stranded).
//
// A calm run (MeasureFailover) has one fault: the primary dies, or stands still. It measures how long it
// takes until a majority names another one, and what is lost then.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "simulator/sentinel_deployment.h"
#include "simulator/sentinel_faults.h"
#include "simulator/tracing.h"

namespace cinnabar::simulator {

struct SentinelReport {
  std::string broken;  // empty: everything held
  uint64_t digest = 0;
  uint64_t elected = 0;
  uint64_t votes = 0;
  uint64_t forced = 0;
  uint64_t promotions = 0;
  uint64_t answered = 0;
  uint64_t kept = 0;  // of these, promised to be kept
  uint64_t stranded = 0;
  uint64_t misled = 0;      // no agreement after a start from an old file
  Millis agreed_after = 0;  // the faults ended
  Millis bound = 0;
  std::deque<std::string> trace;  // the last lines, if it was asked for
};

class SentinelSimulation {
 public:
  explicit SentinelSimulation(uint64_t seed, SentinelBug bug = SentinelBug::kNone,
                              Tracing tracing = Tracing::kOff);

  SentinelReport Run();

 private:
  SentinelOptions Choose(SentinelBug bug);
  void ChooseFaults(SentinelOptions& options);
  // Runs until all agree, and a little longer.
  void Agree(const char* when);
  bool IsStranded();
  // False: there is nobody to take over.
  bool LoseThePrimary();
  std::optional<int> SomeGoodReplica(int primary);
  bool broken() { return !deployment_.watch().broken().empty(); }

  SentinelDeployment deployment_;
  SentinelOptions options_;
  std::optional<SentinelFaults> faults_;
  std::optional<int> last_primary_;
  SentinelReport report_;
};

// How long agreement may take, in the worst case: a sentinel that stood still trusts nothing for half a
// minute; a failover that fails is tried again after twice its timeout, perhaps by another one; a server that
// follows the wrong one is left alone for one timeout, and INFO is asked for each ten seconds.
Millis AgreementBound(const SentinelOptions& options);

// One fault on a quiet network.
struct FailoverTrial {
  enum class Failure : uint8_t { kKilled, kStopped };

  Failure failure = Failure::kKilled;
  size_t acks_needed = 1;  // by so many replicas, before a write is answered
  SentinelBug bug = SentinelBug::kNone;
};

struct FailoverResult {
  std::string broken;
  std::optional<Millis> named_after;  // a majority names another primary, after the failure
  Millis down_after = 0;
  uint64_t answered = 0;
  uint64_t lost = 0;
  std::deque<std::string> trace;
};

FailoverResult MeasureFailover(uint64_t seed, const FailoverTrial& trial, Tracing tracing = Tracing::kOff);

}  // namespace cinnabar::simulator
