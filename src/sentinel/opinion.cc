// Who is down: subjectively (we hear nothing good), objectively (enough sentinels say so); and TILT, when our
// own sense of time cannot be trusted.
#include <fmt/format.h>

#include <algorithm>

#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

constexpr Millis kSanePeriods = 2;  // of INFO
constexpr Millis kNobodyToPromote = 2000;
constexpr Millis kHelloPatience = 3;  // silence on the connection for messages, in publish periods

}  // namespace

// A tick that comes much too late, or a clock that ran backwards, says that this process stood still: what
// looks like silence of the others may be ours.
void Sentinel::CheckTilt() {
  const Millis passed = now() - last_tick_;
  last_tick_ = now();
  if (passed < 0 || passed > timing_.tilt_trigger) {
    tilt_ = true;
    tilt_since_ = now();
    port_.Announce(LogLevel::kWarning, "+tilt", "#tilt mode entered");
  } else if (tilt_ && now() - tilt_since_ >= timing_.tilt_period) {
    tilt_ = false;
    port_.Announce(LogLevel::kWarning, "-tilt", "#tilt mode exited");
  }
}

// A connection that has gone silent is made anew: the silence may be its own.
void Sentinel::ReviewLink(Instance& instance) {
  Link& link = *instance.link;
  const Millis half = instance.primary->down_after / 2;
  if (link.commands.open && now() - link.commands.since > timing_.min_link_reconnect_period &&
      link.unanswered_since != 0 && now() - link.unanswered_since > half && now() - link.last_pong > half) {
    Event(LogLevel::kDebug, "-cmd-link", instance, "#silent");
    Close(link.commands);
    link.expected.clear();
  }
  if (link.messages.open && now() - link.messages.since > timing_.min_link_reconnect_period &&
      now() - link.messages.activity > timing_.publish_period * kHelloPatience) {
    Event(LogLevel::kDebug, "-pubsub-link", instance, "#silent");
    Close(link.messages);
  }
}

void Sentinel::CheckDown(Instance& instance) {
  const Link& link = *instance.link;
  const Primary& primary = *instance.primary;
  Millis silence = 0;
  if (link.unanswered_since != 0) {
    silence = now() - link.unanswered_since;
  } else if (!link.commands.open) {
    silence = now() - link.last_available;
  }
  const bool wrong_role = instance.kind == Kind::kPrimary && instance.role == Role::kReplica &&
                          now() - instance.role_since > primary.down_after + timing_.info_period * 2;
  const bool slow_reboot = instance.rebooted && now() - instance.rebooted_since > primary.reboot_down_after;
  const bool down = silence > primary.down_after || wrong_role || slow_reboot;
  if (down == instance.down) return;
  instance.down = down;
  if (down) {
    instance.down_since = now();
  } else {
    instance.script_kill_sent = false;
  }
  Event(LogLevel::kWarning, down ? "+sdown" : "-sdown", instance);
  // The others are asked at once.
  if (!down || instance.kind != Kind::kPrimary) return;
  AskPeers(*instance.primary, Ask::kNow);
}

int64_t Sentinel::CountDown(const Primary& primary) {
  int64_t count = 0;
  for (const auto& [id, peer] : primary.peers) count += peer->says_down ? 1 : 0;
  return count;
}

void Sentinel::CheckObjectivelyDown(Primary& primary) {
  const int64_t agree = 1 + CountDown(primary);
  const bool down = primary.down && agree >= primary.quorum;
  if (down == primary.objectively_down) return;
  primary.objectively_down = down;
  if (!down) return Event(LogLevel::kWarning, "-odown", primary);
  primary.objectively_down_since = now();
  primary.start_at = now();
  if (!primary.peers.empty()) primary.start_at += static_cast<Millis>(random_.Uniform(kStartSpread));
  // Who has nobody to promote lets others go first.
  const bool candidates = std::ranges::any_of(primary.replicas, [](const auto& entry) {
    return !entry.second->down && entry.second->link->connected() && entry.second->priority != 0;
  });
  if (!candidates) primary.start_at += kNobodyToPromote;
  Event(LogLevel::kWarning, "+odown", primary, fmt::format("#quorum {}/{}", agree, primary.quorum));
}

bool Sentinel::LooksSane(const Primary& primary) const {
  return primary.role == Role::kPrimary && !primary.down && !primary.objectively_down &&
         now() - primary.info_at < timing_.info_period * kSanePeriods;
}

bool Sentinel::WasUpFor(const Instance& instance, Millis period) const {
  return !instance.down && now() - instance.down_since > period;
}

}  // namespace cinnabar::sentinel
