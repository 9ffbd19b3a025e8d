// The steps from "objectively down" to a new primary.
//
//   kNone -> kWaitStart -> kSelectReplica -> kSendReplicaOfNoOne -> kWaitPromotion -> kReconfigureReplicas
//        elected         best one         SLAVEOF NO ONE        INFO says master   | the others follow, or
//        time is up
//                                                                                  v
//                                                                            kUpdateConfig -> kNone, new
//                                                                            address
//
// Up to kWaitPromotion a failover may be aborted; from then on it is a fact, which hello messages spread.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

constexpr Millis kInfoPatience = 1000;  // for what replicas say of themselves, before one is chosen
// Longer than voters wait (election.cc): somebody else may know a replica that we do not.
constexpr Millis kNoReplicaRetryMax = 20'000;
constexpr Millis kNoReplicaRetrySpread = 5000;
constexpr Millis kSplitRetryMin = 100;
constexpr Millis kSplitRetrySpread = 700;
constexpr size_t kHistoryMax = 16;
constexpr size_t kNotesMax = 200;
constexpr Millis kReplicaSilenceMax = 5;  // in ping periods
constexpr Millis kInfoAgeMax = 3;         // in INFO periods
constexpr Millis kLinkDownFactor = 10;    // of down-after: how old a candidate's data may be

}  // namespace

void Sentinel::Record(Primary& primary, std::string note) {
  if (!primary.failing_over || primary.history.empty()) return;
  FailoverRecord& record = primary.history.back();
  if (record.notes.size() >= kNotesMax) return;
  record.notes.push_back(fmt::format("+{} ms: {}", now() - record.began, note));
  port_.Log(LogLevel::kVerbose,
            fmt::format("Failover of {} in epoch {}: {}", primary.name, record.epoch, note));
}

void Sentinel::SetState(Primary& primary, FailoverState state) {
  primary.failover_state = state;
  primary.failover_state_since = now();
}

Status Sentinel::Failover(Primary& primary) {
  if (primary.failing_over) return Fail("INPROG Failover already in progress");
  if (BestReplica(primary) == nullptr) return Fail("NOGOODSLAVE No suitable replica to promote");
  port_.Log(LogLevel::kWarning, fmt::format("Executing user requested FAILOVER of '{}'", primary.name));
  primary.forced = true;
  if (Status started = StartFailover(primary); !started) {
    primary.forced = false;
    return Fail(fmt::format("ERR the configuration cannot be saved: {}", started.error().message));
  }
  // It goes on whatever they answer. But who has voted for us elects nobody else in this epoch.
  AskPeers(primary, Ask::kNow);
  return {};
}

void Sentinel::StartFailoverIfNeeded(Primary& primary) {
  if (!primary.objectively_down || primary.failing_over || now() < primary.start_at) return;
  const bool retry = primary.retry_at != 0 && now() >= primary.retry_at;
  const Millis next = primary.failover_start + primary.failover_timeout * 2;
  if (!retry && now() < next) {
    if (primary.delay_logged_for == primary.failover_start || primary.retry_at != 0) return;
    primary.delay_logged_for = primary.failover_start;
    const std::time_t when = (clock_.WallMillis() + next - now()) / kMillisPerSecond;
    port_.Log(LogLevel::kNotice,
              fmt::format("Next failover delay: I will not start a failover before {:%a %b %d %H:%M:%S %Y}",
                          fmt::localtime(when)));
    return;
  }
  if (StartFailover(primary)) AskPeers(primary, Ask::kNow);
}

// The epoch is ours alone, and remembered before anybody hears of it.
Status Sentinel::StartFailover(Primary& primary) {
  if (save_problem_) TRY_STATUS(Save());
  ++current_epoch_;
  if (Status saved = Save(); !saved) {
    --current_epoch_;
    return saved;
  }
  primary.failing_over = true;
  primary.retry_at = 0;
  primary.failover_epoch = current_epoch_;
  SetState(primary, FailoverState::kWaitStart);
  primary.failover_start = now() + static_cast<Millis>(random_.Uniform(kDesyncMax));
  primary.failover_began = now();
  AskReplicas(primary);
  if (primary.history.size() >= kHistoryMax) primary.history.pop_front();
  primary.history.push_back(
      {.wall_at = clock_.WallMillis(), .began = now(), .epoch = current_epoch_, .forced = primary.forced});
  std::string who = options_.id.substr(0, 8);
  for (const auto& [id, peer] : primary.peers) {
    if (peer->says_down) who.append(", ").append(id, 0, 8);
  }
  Record(primary, primary.forced ? std::string("asked for with SENTINEL FAILOVER")
                                 : fmt::format("down for {} ms; so say {} of {} sentinels: {}",
                                               now() - primary.down_since, 1 + CountDown(primary),
                                               primary.peers.size() + 1, who));
  port_.Announce(LogLevel::kWarning, "+new-epoch", std::to_string(current_epoch_));
  Event(LogLevel::kWarning, "+try-failover", primary);
  return {};
}

void Sentinel::StepFailover(Primary& primary) {
  if (!primary.failing_over) return;
  switch (primary.failover_state) {
    case FailoverState::kWaitStart:
      return WaitStart(primary);
    case FailoverState::kSelectReplica:
      return SelectReplica(primary);
    case FailoverState::kSendReplicaOfNoOne:
      return SendReplicaOfNoOne(primary);
    case FailoverState::kWaitPromotion:
      return WaitPromotion(primary);
    case FailoverState::kReconfigureReplicas:
      return ReconfigureReplicas(primary);
    case FailoverState::kNone:
    case FailoverState::kUpdateConfig:
      return;
  }
}

void Sentinel::AbortFailover(Primary& primary, std::string_view event) {
  Event(LogLevel::kWarning, event, primary);
  Record(primary, std::string(event));
  if (!primary.history.empty()) primary.history.back().outcome = event;
  if (Replica* promoted = primary.FindReplica(primary.promoted)) promoted->promoted = false;
  primary.promoted = 0;
  primary.failing_over = primary.forced = false;
  SetState(primary, FailoverState::kNone);
}

void Sentinel::WaitStart(Primary& primary) {
  const auto leader = Leader(primary, primary.failover_epoch);
  const bool elected = leader == options_.id;
  if (!elected && !primary.forced) {
    const bool split = !leader && AllHaveVoted(primary, primary.failover_epoch);
    const Millis patience = std::min(timing_.election_timeout, primary.failover_timeout);
    if (!split && now() - primary.failover_start <= patience) return;
    AbortFailover(primary, "-failover-abort-not-elected");
    // Nobody has won: somebody has to try again before long.
    if (split)
      primary.retry_at = now() + kSplitRetryMin + static_cast<Millis>(random_.Uniform(kSplitRetrySpread));
    return;
  }
  Event(LogLevel::kWarning, "+elected-leader", primary);
  Record(primary, elected ? "elected" : "goes on without an election, as asked");
  if ((simulated_failures_ & kCrashAfterElection) != 0) port_.Crash();
  SetState(primary, FailoverState::kSelectReplica);
  Event(LogLevel::kWarning, "+failover-state-select-slave", primary);
  SelectReplica(primary);
}

// ---- choosing ----

// For how long a replica may have been without its primary: a multiple of down-after before the primary died.
// When that was is what we heard last. A sentinel that was started later does not know it, and compares the
// replicas with each other.
Millis Sentinel::LinkDownMax(const Primary& primary) const {
  const Millis before = primary.down_after * kLinkDownFactor;
  if (!primary.down) return before;
  if (primary.last_good != 0) return before + now() - primary.last_good;
  Millis least = std::numeric_limits<Millis>::max() / 2;
  for (const auto& [name, replica] : primary.replicas) {
    if (!replica->down && replica->link->connected()) least = std::min(least, replica->link_down);
  }
  return before + least;
}

// Empty: it can be promoted.
std::string Sentinel::WhyNot(const Primary& primary, const Replica& replica) const {
  const Link& link = *replica.link;
  if (replica.down) return "it is down";
  if (!link.connected()) return "there is no connection to it";
  if (const Millis silence = now() - link.last_available; silence > timing_.ping_period * kReplicaSilenceMax)
    return fmt::format("it has not answered for {} ms", silence);
  if (replica.priority == 0) return "its priority is 0";
  const Millis info_age_max =
      primary.down ? timing_.ping_period * kReplicaSilenceMax : timing_.info_period * kInfoAgeMax;
  if (const Millis age = now() - replica.info_at; age > info_age_max)
    return replica.info_at == 0 ? "it has sent no INFO yet" : fmt::format("its last INFO is {} ms old", age);
  if (const Millis down_max = LinkDownMax(primary); replica.link_down > down_max)
    return fmt::format("it was without its primary for {} ms, more than {}", replica.link_down, down_max);
  return {};
}

Replica* Sentinel::BestReplica(Primary& primary) {
  Replica* best = nullptr;
  const auto better = [](const Replica& a, const Replica& b) {
    if (a.priority != b.priority) return a.priority < b.priority;
    if (a.replication_offset != b.replication_offset) return a.replication_offset > b.replication_offset;
    // Any order that all sentinels share; who has said no id comes last.
    if (a.run_id.empty() != b.run_id.empty()) return b.run_id.empty();
    return a.run_id < b.run_id;
  };
  for (const auto& [name, replica] : primary.replicas) {
    if (!WhyNot(primary, *replica).empty()) continue;
    if (best == nullptr || better(*replica, *best)) best = replica.get();
  }
  return best;
}

void Sentinel::AskReplicas(Primary& primary) {
  for (const auto& [name, replica] : primary.replicas) SendInfo(*replica);
}

// What a replica had when the primary was still alive says too little: one that has caught up since may be
// better, and has what clients were promised.
bool Sentinel::AwaitsReplicas(const Primary& primary) const {
  if (now() - primary.failover_began > kInfoPatience) return false;
  return std::ranges::any_of(primary.replicas, [&](const auto& entry) {
    const Replica& replica = *entry.second;
    return !replica.down && replica.link->connected() && replica.info_at < primary.failover_began;
  });
}

void Sentinel::SelectReplica(Primary& primary) {
  if (AwaitsReplicas(primary)) return;
  Replica* best = BestReplica(primary);
  for (const auto& [name, replica] : primary.replicas) {
    const std::string reason = WhyNot(primary, *replica);
    Record(primary,
           fmt::format("{}: priority {}, offset {}{}", name, replica->priority, replica->replication_offset,
                       replica.get() == best ? ": chosen"
                       : reason.empty()      ? ": good, but not the best"
                                             : fmt::format(": not possible, {}", reason)));
  }
  if (best == nullptr) {
    AbortFailover(primary, "-failover-abort-no-good-slave");
    // One may come back.
    primary.retry_at = now() + std::min(primary.failover_timeout * 2, kNoReplicaRetryMax) +
                       static_cast<Millis>(random_.Uniform(kNoReplicaRetrySpread));
    return;
  }
  if (primary.known_offset > best->replication_offset) {
    Record(primary, fmt::format("up to {} bytes of the stream may be lost: the primary was at {}, {} s ago",
                                primary.known_offset - best->replication_offset, primary.known_offset,
                                (now() - primary.info_at) / kMillisPerSecond));
  }
  Event(LogLevel::kWarning, "+selected-slave", *best);
  best->promoted = true;
  primary.promoted = best->id;
  SetState(primary, FailoverState::kSendReplicaOfNoOne);
  Event(LogLevel::kNotice, "+failover-state-send-slaveof-noone", *best);
  SendReplicaOfNoOne(primary);
}

// ---- promoting ----

void Sentinel::SendReplicaOfNoOne(Primary& primary) {
  Replica* promoted = primary.FindReplica(primary.promoted);
  if (promoted == nullptr || !SendReplicaOf(*promoted, nullptr)) {
    if (promoted == nullptr || now() - primary.failover_state_since > primary.failover_timeout)
      AbortFailover(primary, "-failover-abort-slave-timeout");
    return;
  }
  Event(LogLevel::kNotice, "+failover-state-wait-promotion", *promoted);
  SetState(primary, FailoverState::kWaitPromotion);
}

// INFO will say that it is a primary.
void Sentinel::WaitPromotion(Primary& primary) {
  if (now() - primary.failover_state_since > primary.failover_timeout)
    AbortFailover(primary, "-failover-abort-slave-timeout");
}

void Sentinel::Promoted(Primary& primary, Replica& replica) {
  // Somebody was faster, in a later epoch.
  if (primary.failover_epoch <= primary.config_epoch)
    return AbortFailover(primary, "-failover-abort-overtaken");
  primary.config_epoch = primary.failover_epoch;
  SetState(primary, FailoverState::kReconfigureReplicas);
  (void)Save();
  Record(primary, fmt::format("{} is a primary now", replica.name));
  Event(LogLevel::kWarning, "+promoted-slave", replica);
  if ((simulated_failures_ & kCrashAfterPromotion) != 0) port_.Crash();
  Event(LogLevel::kWarning, "+failover-state-reconf-slaves", primary);
  CallReconfigurationScript(primary, "leader", primary.address, replica.address);
  SendHellos(primary);
}

// ---- the other replicas ----

void Sentinel::ReconfigureReplicas(Primary& primary) {
  const Replica* promoted = primary.FindReplica(primary.promoted);
  if (promoted == nullptr) return;  // cannot be: replicas go only with the failover
  int64_t under_way = 0;
  for (const auto& [name, replica] : primary.replicas) {
    under_way += replica->reconfiguration == Reconfiguration::kSent ||
                 replica->reconfiguration == Reconfiguration::kInProgress;
  }
  for (const auto& [name, replica] : primary.replicas) {
    if (under_way >= primary.parallel_syncs) break;
    if (replica->promoted || replica->reconfiguration == Reconfiguration::kDone) continue;
    if (replica->reconfiguration == Reconfiguration::kSent &&
        now() - replica->reconfiguration_since > timing_.replica_reconfiguration_timeout) {
      Event(LogLevel::kNotice, "-slave-reconf-sent-timeout", *replica);
      replica->reconfiguration = Reconfiguration::kNone;
    }
    if (replica->reconfiguration != Reconfiguration::kNone || !SendReplicaOf(*replica, &promoted->address))
      continue;
    replica->reconfiguration = Reconfiguration::kSent;
    replica->reconfiguration_since = now();
    ++under_way;
    Event(LogLevel::kNotice, "+slave-reconf-sent", *replica);
  }
  FinishReconfiguration(primary);
}

void Sentinel::FinishReconfiguration(Primary& primary) {
  Replica* promoted = primary.FindReplica(primary.promoted);
  // Nothing is final while the new one is gone.
  if (promoted == nullptr || promoted->down) return;
  const bool open = std::ranges::any_of(primary.replicas, [](const auto& entry) {
    const Replica& replica = *entry.second;
    return !replica.promoted && !replica.down && replica.reconfiguration != Reconfiguration::kDone;
  });
  const bool late = now() - primary.failover_state_since > primary.failover_timeout;
  if (open && !late) return;
  if (open) Event(LogLevel::kWarning, "+failover-end-for-timeout", primary);
  Event(LogLevel::kWarning, "+failover-end", primary);
  SetState(primary, FailoverState::kUpdateConfig);
  // Who is late is told once more, and looked after later as any replica that follows the wrong one.
  for (const auto& [name, replica] : primary.replicas) {
    if (!open || replica->promoted || replica->reconfiguration != Reconfiguration::kNone) continue;
    if (!SendReplicaOf(*replica, &promoted->address)) continue;
    replica->reconfiguration = Reconfiguration::kSent;
    Event(LogLevel::kNotice, "+slave-reconf-sent-be", *replica);
  }
}

void Sentinel::SwitchToPromoted(Primary& primary) {
  const Replica* promoted = primary.FindReplica(primary.promoted);
  const Address to = promoted == nullptr ? primary.address : promoted->address;
  const Address from = primary.address;
  EventText(LogLevel::kWarning, "+switch-master", primary,
            fmt::format("{} {} {} {} {}", primary.name, Shown(from), from.port, Shown(to), to.port));
  Record(primary, "done");
  if (!primary.history.empty()) primary.history.back().outcome = "+switch-master";
  ChangeAddress(primary, to);
}

}  // namespace cinnabar::sentinel
