#include "simulator/sentinel_checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::simulator {

SentinelChecks::SentinelChecks(Setup setup) : setup_(std::move(setup)), hosts_(setup_.sentinels) {}

void SentinelChecks::Break(int host, const std::string& what) {
  setup_.broken(fmt::format("sentinel {} {}", host, what));
}

void SentinelChecks::OnVote(int host, Epoch epoch, const std::string& candidate) {
  const auto [vote, first] = HostOf(host).votes.emplace(epoch, candidate);
  if (first) ++votes_given_;
  if (vote->second != candidate && !setup_.old_files) {
    Break(host,
          fmt::format("votes for {:.6} in epoch {} and had voted for {:.6}", candidate, epoch, vote->second));
  }
}

void SentinelChecks::OnElected(int host, const std::string& id, Epoch epoch) {
  if (setup_.old_files || setup_.few_votes_suffice || forced_.contains(epoch)) return;
  const auto [leader, first] = leaders_.emplace(epoch, host);
  if (leader->second != host) {
    Break(host, fmt::format("is elected in epoch {}, in which {} was", epoch, leader->second));
  }
  const auto votes = std::ranges::count_if(hosts_, [&](const Host& one) {
    const auto vote = one.votes.find(epoch);
    return vote != one.votes.end() && vote->second == id;
  });
  const size_t needed = std::max(setup_.quorum, setup_.sentinels / 2 + 1);
  if (static_cast<size_t>(votes) < needed) {
    Break(host,
          fmt::format("is elected in epoch {} with {} votes of {} that it needs", epoch, votes, needed));
  }
}

void SentinelChecks::OnTold(int host, const sentinel::Hello& hello, File file) {
  const std::string address = fmt::format("{}:{}", hello.primary_host, hello.primary_port);
  const auto [known, first] = configurations_.emplace(hello.config_epoch, address);
  if (known->second != address) {
    collided_ |= forced_.contains(hello.config_epoch);
    if (OneAddressPerEpoch()) {
      Break(host, fmt::format("tells of {} in config epoch {}, which is that of {}", address,
                              hello.config_epoch, known->second));
    }
  }
  if (file == File::kNotWritten) return;
  Epochs& told = HostOf(host).told;
  told.current = std::max(told.current, hello.current_epoch);
  told.config = std::max(told.config, hello.config_epoch);
}

void SentinelChecks::OnState(int host, const sentinel::Sentinel& machine, std::string_view address) {
  if (machine.primaries().empty()) return;
  const Epochs now{machine.current_epoch(), machine.primaries().begin()->second->config_epoch};
  Host& state = HostOf(host);
  if (now.current < state.seen.current || now.config < state.seen.config) {
    Break(host, fmt::format("goes back from epochs {}, {} to {}, {}", state.seen.current, state.seen.config,
                            now.current, now.config));
  }
  const bool same = state.seen.config == now.config && state.address == address;
  state.seen = now;
  if (same) return;
  state.address = address;
  CheckMajority(now.config, state.address);
}

// Whether a majority follows this one now, and whether another majority has followed another one in the same
// epoch.
void SentinelChecks::CheckMajority(Epoch config_epoch, const std::string& address) {
  if (!OneAddressPerEpoch() || forced_.contains(config_epoch)) return;
  const auto follow = std::ranges::count_if(
      hosts_, [&](const Host& host) { return host.seen.config == config_epoch && host.address == address; });
  if (static_cast<size_t>(follow) <= setup_.sentinels / 2) return;
  const auto [known, first] = followed_by_majority_.emplace(config_epoch, address);
  if (known->second == address) return;
  setup_.broken(fmt::format("majorities have followed {} and {} in config epoch {}", known->second, address,
                            config_epoch));
}

void SentinelChecks::OnStarted(int host, const sentinel::Sentinel& machine) {
  Host& state = HostOf(host);
  state.seen = {};
  if (setup_.old_files || machine.primaries().empty()) return;
  const Epochs now{machine.current_epoch(), machine.primaries().begin()->second->config_epoch};
  if (now.current < state.told.current || now.config < state.told.config) {
    Break(host, fmt::format("starts with epochs {}, {} and had told of {}, {}", now.current, now.config,
                            state.told.current, state.told.config));
  }
}

}  // namespace cinnabar::simulator
