#include "simulator/cluster_checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::simulator {

using cluster::Cluster;
using cluster::Packet;
using cluster::PacketType;
using cluster::SlotSet;

namespace {

bool Includes(const SlotSet& all, const SlotSet& some) {
  bool includes = true;
  some.ForEach([&](int slot) { includes = includes && all.Has(slot); });
  return includes;
}

int FirstShared(const SlotSet& one, const SlotSet& other) {
  int shared = -1;
  one.ForEach([&](int slot) {
    if (shared < 0 && other.Has(slot)) shared = slot;
  });
  return shared;
}

const cluster::NodeRecord* Myself(const cluster::ClusterRecord& record) {
  const auto it = std::ranges::find_if(
      record.nodes, [](const cluster::NodeRecord& node) { return (node.flags & cluster::kMyselfFlag) != 0; });
  return it == record.nodes.end() ? nullptr : &*it;
}

std::string Short(const NodeId& id) {
  return id.str().substr(0, 6);
}

}  // namespace

void ClusterChecks::Break(int host, const std::string& what) {
  setup_.broken(fmt::format("host {} {}", host, what));
}

// ---- what leaves ----

void ClusterChecks::OnSent(int host, const Packet& packet, const cluster::ClusterRecord* safe,
                           const NodeId& to) {
  CheckVital(host, packet, safe);
  Known& known = known_[packet.sender];
  if (packet.type == PacketType::kVoteRequest) known.asked.insert(packet.current_epoch);
  if (packet.type == PacketType::kVote) CheckVote(host, packet, to);
  // Who has no slots claims nothing.
  const bool primary = (packet.flags & cluster::kPrimaryFlag) != 0 && !packet.slots.empty();
  if (packet.current_epoch < known.told_current || (primary && packet.config_epoch < known.told_config)) {
    Break(host, fmt::format("tells of epochs {}, {} and has told of {}, {}", packet.current_epoch,
                            packet.config_epoch, known.told_current, known.told_config));
  }
  known.told_current = std::max(known.told_current, packet.current_epoch);
  if (!primary) return;
  known.told_config = std::max(known.told_config, packet.config_epoch);
  CheckClaims(host, packet);
}

void ClusterChecks::CheckVital(int host, const Packet& packet, const cluster::ClusterRecord* safe) {
  const cluster::NodeRecord* me = safe == nullptr ? nullptr : Myself(*safe);
  if (me == nullptr || me->id != packet.sender) return Break(host, "speaks before its id is on disk");
  const bool primary = (packet.flags & cluster::kPrimaryFlag) != 0;
  if (primary != ((me->flags & cluster::kPrimaryFlag) != 0)) {
    return Break(host, "tells of a role that is not on disk");
  }
  if (primary && packet.config_epoch > me->config_epoch) {
    return Break(host, fmt::format("tells of its config epoch {}, on disk is {}", packet.config_epoch,
                                   me->config_epoch));
  }
  if (primary && !Includes(me->slots, packet.slots)) {
    return Break(host, "claims slots that are not its own on disk");
  }
  if (!primary && packet.primary != me->primary) {
    return Break(host, "tells of a primary that it does not follow on disk");
  }
  const bool vote = packet.type == PacketType::kVote;
  if ((vote || packet.type == PacketType::kVoteRequest) && safe->current_epoch < packet.current_epoch) {
    return Break(host,
                 fmt::format("votes in epoch {}, on disk is {}", packet.current_epoch, safe->current_epoch));
  }
  if (vote && safe->last_vote_epoch < packet.current_epoch) {
    Break(host, fmt::format("gives a vote in epoch {}, on disk is one of {}", packet.current_epoch,
                            safe->last_vote_epoch));
  }
}

void ClusterChecks::CheckVote(int host, const Packet& packet, const NodeId& candidate) {
  std::map<Epoch, NodeId>& votes = known_[packet.sender].votes;
  const Epoch epoch = packet.current_epoch;
  if (!votes.empty() && votes.rbegin()->first > epoch && !setup_.old_files) {
    Break(host, fmt::format("votes in epoch {} and has voted in {}", epoch, votes.rbegin()->first));
  }
  const auto [vote, first] = votes.emplace(epoch, candidate);
  if (first) ++votes_given_;
  if (vote->second != candidate && !setup_.old_files) {
    Break(host, fmt::format("votes for {} in epoch {} and has voted for {}", Short(candidate), epoch,
                            Short(vote->second)));
  }
  if ((packet.flags & cluster::kPrimaryFlag) == 0 || packet.slots.empty()) {
    Break(host, "votes and has no slots");
  }
}

void ClusterChecks::CheckClaims(int host, const Packet& packet) {
  auto& claims = claims_[packet.config_epoch];
  SlotSet& mine = claims[packet.sender];
  if (mine == packet.slots) return;
  packet.slots.ForEach([&](int slot) { mine.Add(slot); });
  if (!known_[packet.sender].asked.contains(packet.config_epoch)) unvoted_.insert(packet.config_epoch);
  if (setup_.old_files || unvoted_.contains(packet.config_epoch)) return;
  for (const auto& [id, slots] : claims) {
    if (id == packet.sender) continue;
    const int slot = FirstShared(mine, slots);
    if (slot < 0) continue;
    Break(host,
          fmt::format("claims slot {} in config epoch {}, as {} does", slot, packet.config_epoch, Short(id)));
  }
}

// ---- minorities ----

void ClusterChecks::NoteMinority(int host, std::optional<Millis> since) {
  const auto wrote = wrote_at_.find(host);
  if (wrote == wrote_at_.end()) return;
  const Millis at = wrote->second;
  wrote_at_.erase(wrote);
  if (!since || at - *since <= setup_.minority_max) return;
  Break(host, fmt::format("takes a write and has been in a minority for {} ms", at - *since));
}

// ---- what it is ----

void ClusterChecks::OnStarted(int host, const Cluster& machine) {
  const cluster::Node& me = machine.myself();
  seen_[host] = {me.id, machine.current_epoch(), me.config_epoch};
  const Known& known = known_[me.id];
  if (setup_.old_files) {
    known_[me.id].told_current = known_[me.id].told_config = 0;
    return;
  }
  // What it has told as a primary; the current epoch alone need not survive.
  if (me.votes() && me.config_epoch < known.told_config) {
    Break(host,
          fmt::format("starts with config epoch {} and had told of {}", me.config_epoch, known.told_config));
  }
  if (!known.votes.empty() && machine.last_vote_epoch() < known.votes.rbegin()->first) {
    Break(host, fmt::format("starts with a vote of epoch {} and had voted in {}", machine.last_vote_epoch(),
                            known.votes.rbegin()->first));
  }
  known_[me.id].told_current = machine.current_epoch();
}

void ClusterChecks::OnState(int host, const Cluster& machine) {
  const cluster::Node& me = machine.myself();
  Seen& seen = seen_[host];
  if (seen.id == me.id && machine.current_epoch() < seen.current) {
    Break(host, fmt::format("goes back from epoch {} to {}", seen.current, machine.current_epoch()));
  }
  const Epoch before = seen.id == me.id ? seen.config : 0;
  seen = {me.id, machine.current_epoch(), me.config_epoch};
  if (me.is_primary() && me.config_epoch > before) TookEpoch(host, machine, me.config_epoch);
}

void ClusterChecks::TookEpoch(int host, const Cluster& machine, Epoch epoch) {
  const NodeId& id = machine.myself().id;
  if (!known_[id].asked.contains(epoch)) {
    unvoted_.insert(epoch);
    return;
  }
  if (setup_.old_files) return;
  const auto [winner, first] = elected_.emplace(epoch, id);
  if (winner->second != id) {
    Break(host, fmt::format("is elected in epoch {}, in which {} was", epoch, Short(winner->second)));
  }
  const auto votes = std::ranges::count_if(known_, [&](const auto& one) {
    const auto vote = one.second.votes.find(epoch);
    return vote != one.second.votes.end() && vote->second == id;
  });
  const int needed = machine.size() / 2 + 1;
  if (votes < needed) {
    Break(host,
          fmt::format("is elected in epoch {} with {} votes of {} that it needs", epoch, votes, needed));
  }
}

}  // namespace cinnabar::simulator
