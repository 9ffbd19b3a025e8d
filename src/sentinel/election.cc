// Votes. Every sentinel votes once per epoch and primary, for whoever asks first; who has the votes of the
// majority of all sentinels that are known, and of at least the quorum, may fail over.
#include <fmt/format.h>

#include <algorithm>

#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

constexpr Millis kAnswersMax = 5;  // in ask periods: how long an answer counts
constexpr Millis kAskPatience = 200;
// How long whom we voted for may take, at most, before we try it ourselves.
constexpr Millis kLeaderPatience = 14'000;
constexpr Millis kLeaderPatienceSpread = 5000;

}  // namespace

void Sentinel::RaiseEpoch(Epoch epoch) {
  current_epoch_ = epoch;
  (void)Save();
  port_.Announce(LogLevel::kWarning, "+new-epoch", std::to_string(epoch));
}

void Sentinel::AskPeers(Primary& primary, Ask ask) {
  const Epoch epoch = primary.failing_over ? primary.failover_epoch : current_epoch_;
  const std::string epoch_text = std::to_string(epoch);
  const std::string port = std::to_string(primary.address.port);
  const std::string candidate = primary.failing_over ? options_.id : "*";
  for (const auto& [id, peer] : primary.peers) {
    const Millis age = now() - peer->last_vote_answer;
    if (age > timing_.ask_period * kAnswersMax) {
      peer->says_down = false;
      peer->leader.clear();
    }
    if ((!primary.down && !primary.forced) || !peer->link->commands.open) continue;
    if (ask == Ask::kIfDue && age < timing_.ask_period) continue;
    // An unanswered question is not repeated at every occasion.
    if (ask == Ask::kIfDue && now() - peer->last_vote_asked < std::min(timing_.ask_period, kAskPatience))
      continue;
    if (Send(*peer, Awaited::kVote,
             {"SENTINEL", "is-master-down-by-addr", Shown(primary.address), port, epoch_text, candidate}))
      peer->last_vote_asked = now();
  }
}

Sentinel::Opinion Sentinel::OpinionOf(std::string_view ip, int port, Epoch epoch,
                                      std::string_view candidate) {
  Opinion opinion{.leader = "*"};
  for (const auto& [name, primary] : primaries_) {
    if (!Names(primary->address, std::string(ip), port)) continue;
    opinion.down = !tilt_ && primary->down;
    if (candidate == "*") return opinion;
    const std::string leader = Vote(*primary, epoch, candidate);
    if (!leader.empty()) opinion.leader = leader;
    opinion.leader_epoch = primary->leader_epoch;
    return opinion;
  }
  return opinion;
}

// Votes if that is still possible in this epoch; returns whom our last vote went to (empty: nobody, or it is
// not remembered). A vote leaves only when it is on disk: after a restart nobody would know of it.
std::string Sentinel::Vote(Primary& primary, Epoch epoch, std::string_view candidate) {
  if (save_problem_ && !Save()) return {};
  if (epoch > current_epoch_) RaiseEpoch(epoch);
  if (primary.leader_epoch >= epoch || current_epoch_ > epoch) return primary.leader;
  const std::string old_leader = primary.leader;
  const Epoch old_epoch = primary.leader_epoch;
  primary.leader = candidate;
  primary.leader_epoch = epoch;
  if (!Save()) {
    primary.leader = old_leader;
    primary.leader_epoch = old_epoch;
    return {};
  }
  EventText(LogLevel::kWarning, "+vote-for-leader", primary, fmt::format("{} {}", candidate, epoch));
  // Give the candidate the time to do it.
  if (candidate != options_.id) {
    primary.failover_start = now() + static_cast<Millis>(random_.Uniform(kDesyncMax));
    primary.retry_at = now() + std::min(primary.failover_timeout * 2, kLeaderPatience) +
                       static_cast<Millis>(random_.Uniform(kLeaderPatienceSpread));
  }
  return primary.leader;
}

// Who has been elected in this epoch, as far as we know.
std::optional<std::string> Sentinel::Leader(Primary& primary, Epoch epoch) {
  std::map<std::string, int64_t> votes;
  for (const auto& [id, peer] : primary.peers) {
    if (!peer->leader.empty() && peer->leader_epoch == epoch) ++votes[peer->leader];
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  auto most = std::max_element(votes.begin(), votes.end(), fewer);
  // Ours goes to who leads, or to ourselves.
  const std::string mine = Vote(primary, epoch, most == votes.end() ? options_.id : most->first);
  if (!mine.empty() && primary.leader_epoch == epoch) ++votes[mine];
  most = std::max_element(votes.begin(), votes.end(), fewer);
  if (most == votes.end()) return std::nullopt;
  const auto voters = static_cast<int64_t>(primary.peers.size()) + 1;
  if (most->second < std::max(voters / 2 + 1, primary.quorum)) return std::nullopt;
  return most->first;
}

// Whether everybody who can be asked has voted. Then waiting changes nothing.
bool Sentinel::AllHaveVoted(const Primary& primary, Epoch epoch) const {
  return std::ranges::all_of(primary.peers, [epoch](const auto& entry) {
    const Peer& peer = *entry.second;
    return peer.leader_epoch >= epoch || !peer.link->connected() || peer.down;
  });
}

}  // namespace cinnabar::sentinel
