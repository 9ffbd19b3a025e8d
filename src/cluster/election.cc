// Votes. A replica whose primary is down asks the primaries for theirs; whoever has those of a majority takes
// the slots over, in an epoch that nobody else has. A primary votes once per epoch.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"

namespace cinnabar::cluster {
namespace {

constexpr Millis kElectionTimeoutMin = 2000;
// So that replicas do not ask at the same moment, and have heard of each other's offsets.
constexpr Millis kElectionDelay = 200;
constexpr Millis kElectionSpread = 200;
constexpr Millis kRankDelay = 1000;
constexpr Millis kVotePeriod = 2;  // in node timeouts: one vote about a primary in so long

}  // namespace

// Whether there is something to be elected for, and we are fit for it. Why not is logged once.
bool Cluster::MayStandForElection() {
  const Node* primary = myself_->primary;
  const bool asked_for = manual_.end != 0 && manual_.can_start;
  if (primary == nullptr || primary->slot_count == 0 || (!primary->failed() && !asked_for)) {
    last_refusal_.clear();
    return false;
  }
  if (options_.replica_no_failover && !asked_for) return false;
  if (options_.replica_validity_factor == 0 || asked_for) return true;
  const ReplicationView view = port_.Replication();
  const Millis age = std::max<Millis>(0, view.silence - options_.node_timeout);
  if (age <= options_.replica_ping_period + options_.node_timeout * options_.replica_validity_factor)
    return true;
  constexpr std::string_view kTooOld =
      "Currently unable to failover: Disconnected from master for longer than allowed. Please check the "
      "'cluster-replica-validity-factor' configuration option.";
  if (last_refusal_ != kTooOld) {
    last_refusal_ = kTooOld;
    port_.Log(LogLevel::kWarning, last_refusal_);
  }
  return false;
}

void Cluster::StepElection() {
  if (!myself_->is_replica() || !MayStandForElection()) return;
  const Millis timeout = std::max(options_.node_timeout * 2, kElectionTimeoutMin);
  const Millis age = now() - election_.at;
  if (election_.at == 0 || age > timeout * 2) return ScheduleElection();
  if (!election_.asked && manual_.end == 0) {
    // Others may have said meanwhile that they have more.
    const int rank = RankAmongReplicas();
    if (rank > election_.rank) {
      const Millis more = (rank - election_.rank) * kRankDelay;
      election_.at += more;
      election_.rank = rank;
      port_.Log(LogLevel::kWarning,
                fmt::format("Replica rank updated to #{}, added {} milliseconds of delay.", rank, more));
    }
  }
  if (now() < election_.at || age > timeout) return;
  if (!election_.asked) return AskForVotes();
  // Of those who could vote when they were asked: primaries that lose their slots meanwhile, perhaps to
  // another one who was elected in this very epoch, make no majority of what was none.
  election_.needed = std::max(election_.needed, Majority());
  if (static_cast<int>(election_.votes.size()) >= election_.needed) WinElection();
}

void Cluster::ScheduleElection() {
  election_ = {};
  election_.at = now() + kElectionDelay + static_cast<Millis>(random_.Uniform(kElectionSpread));
  election_.rank = RankAmongReplicas();
  election_.at += election_.rank * kRankDelay;
  if (manual_.end != 0) {
    election_.at = now();
    election_.rank = 0;
  }
  port_.Log(LogLevel::kWarning,
            fmt::format("Start of election delayed for {} milliseconds (rank #{}, offset {}).",
                        election_.at - now(), election_.rank, port_.Replication().offset));
  // The others compare themselves with us.
  BroadcastPong(To::kShard);
  if (manual_.end != 0) StepElection();
}

// How many of our primary's replicas have more of its data.
int Cluster::RankAmongReplicas() const {
  const uint64_t offset = port_.Replication().offset;
  int rank = 0;
  for (const Node* replica : myself_->primary->replicas) {
    if (replica != myself_ && !replica->Is(kNoFailoverFlag) && replica->offset > offset) ++rank;
  }
  return rank;
}

void Cluster::AskForVotes() {
  // A primary votes only if it sees that ours is down. Our word about that comes right before the question.
  if (myself_->primary->failed()) SendFail(*myself_->primary);
  ++current_epoch_;
  election_.epoch = current_epoch_;
  election_.asked = true;
  election_.needed = Majority();
  Changed(Change::kVital);
  port_.Log(LogLevel::kWarning, fmt::format("Starting a failover election for epoch {}.", election_.epoch));
  Packet packet = Header(PacketType::kVoteRequest);
  if (manual_.end != 0) packet.packet_flags |= kForceVoteFlag;
  Broadcast(packet);
}

void Cluster::TakeVoteRequest(const Incoming& in) {
  Node& asks = *in.sender;
  if (!myself_->votes()) return;
  const auto refuse = [&](std::string_view why) {
    port_.Log(LogLevel::kWarning, fmt::format("Failover auth denied to {}: {}", asks.id.text(), why));
  };
  const bool forced = (in.packet.packet_flags & kForceVoteFlag) != 0;
  if (in.packet.current_epoch < current_epoch_)
    return refuse(fmt::format("reqEpoch ({}) < curEpoch({})", in.packet.current_epoch, current_epoch_));
  if (last_vote_epoch_ == current_epoch_)
    return refuse(fmt::format("already voted for epoch {}", current_epoch_));
  Node* primary = asks.primary;
  if (!asks.is_replica() || primary == nullptr)
    return refuse("it is a master node, or we do not know its master");
  if (!primary->failed() && !forced) return refuse("its master is up");
  if (primary->voted_at != 0 && now() - primary->voted_at < options_.node_timeout * kVotePeriod)
    return refuse(fmt::format("can't vote about this master before {} milliseconds",
                              options_.node_timeout * kVotePeriod - (now() - primary->voted_at)));
  bool outdated = false;
  in.packet.slots.ForEach([&](int slot) {
    const Node* owner = owners_[static_cast<size_t>(slot)];
    if (owner != nullptr && owner->config_epoch > in.packet.config_epoch) outdated = true;
  });
  if (outdated)
    return refuse(fmt::format("a slot it wants is served in an epoch later than {}", in.packet.config_epoch));
  if (!asks.out.connected && !links_.contains(in.link)) return;
  primary->voted_at = now();
  last_vote_epoch_ = current_epoch_;
  Changed(Change::kVital);
  port_.Log(LogLevel::kWarning,
            fmt::format("Failover auth granted to {} for epoch {}", asks.id.text(), current_epoch_));
  // Where it listens, as it is expected; else where it asked.
  SendPacket(asks.out.connected ? asks.out.id : in.link, Header(PacketType::kVote));
}

void Cluster::TakeVote(const Incoming& in) {
  if (!election_.asked || !in.sender->votes() || in.packet.current_epoch != election_.epoch) return;
  election_.votes.insert(in.sender->id);
  StepElection();
}

void Cluster::WinElection() {
  port_.Log(LogLevel::kWarning, "Failover election won: I'm the new master.");
  // Its own vote of this epoch, in which it can vote from now on, was for itself.
  last_vote_epoch_ = std::max(last_vote_epoch_, election_.epoch);
  if (myself_->config_epoch < election_.epoch) {
    myself_->config_epoch = election_.epoch;
    epoch_is_alone_ = false;
    port_.Log(LogLevel::kWarning,
              fmt::format("configEpoch set to {} after successful failover", myself_->config_epoch));
  }
  ReplacePrimary();
}

// We have its slots from now on, in our epoch.
void Cluster::ReplacePrimary() {
  const SlotSet slots = myself_->primary->slots;
  BecomesPrimary(*myself_);
  followed_ = {};
  port_.FollowNobody();
  slots.ForEach([&](int slot) { GiveSlot(slot, *myself_); });
  election_ = {};
  Changed(Change::kVital);
  UpdateState();
  ResetManualFailover();
  BroadcastPong(To::kAll);
}

}  // namespace cinnabar::cluster
