#include "server/catch_up.h"

#include <utility>

#include "server/core.h"

namespace cinnabar::server {
namespace {

constexpr Nanos kPatience = kNanosPerSecond;

}  // namespace

bool CatchUp::Reached(dispatch::Session& session) {
  if (cores_.size() == 1 || session.facts.read <= reached_) return true;
  if (missing_ == 0 && BeginRound()) return true;
  if (!std::exchange(session.waits_for_others, true)) waiting_.push_back(session.id);
  return false;
}

// First the sockets: what is read behind their back shows in at_rest_.
bool CatchUp::AtRest() const {
  return at_rest_.load() && !reactor_.Ready() && at_rest_.load();
}

// True when nobody needs to be asked.
bool CatchUp::BeginRound() {
  peers_.resize(cores_.size(), Peer::kIdle);
  round_reads_ = reads_;
  ++round_;
  for (size_t i = 0; i < cores_.size(); ++i) {
    const int peer = static_cast<int>(i);
    if (peer != self_ && peers_[i] != Peer::kSilent && !cores_[i]->catch_up().AtRest()) Ask(peer);
  }
  if (missing_ == 0) {
    reached_ = round_reads_;
    return true;
  }
  round_began_ = SystemMonotonicNanos();
  return false;
}

void CatchUp::Ask(int peer) {
  ++missing_;
  peers_[static_cast<size_t>(peer)] = Peer::kAsked;
  Core* asked = cores_[static_cast<size_t>(peer)].get();
  asked->PostBetween([asked, question = Question{.core = self_, .round = round_}] {
    asked->catch_up().OnQuestion(question);
    return Core::Handled::kYes;
  });
}

void CatchUp::OnQuestion(Question question) {
  const Core& core = *cores_[static_cast<size_t>(self_)];
  question.number = asked_so_far_++;
  // Each turn sees a part of the ready sockets, the next turn others.
  question.turns = core.connection_count() / Workspace::kEventsMax + 1;
  questions_.push_back(question);
}

void CatchUp::TurnEnded(uint64_t asked_before) {
  std::erase_if(questions_, [&](Question& question) {
    if (question.number >= asked_before || --question.turns > 0) return false;
    Core* asker = cores_[static_cast<size_t>(question.core)].get();
    asker->PostBetween([asker, peer = self_, round = question.round] {
      asker->catch_up().OnAnswer(peer, round);
      return Core::Handled::kYes;
    });
    return true;
  });
}

void CatchUp::OnAnswer(int peer, uint64_t round) {
  peers_[static_cast<size_t>(peer)] = Peer::kIdle;
  if (round == round_ && missing_ > 0 && --missing_ == 0) EndRound();
}

void CatchUp::EndRound() {
  reached_ = round_reads_;
  std::vector<uint64_t> rest;
  for (const uint64_t id : std::exchange(waiting_, {})) {
    Core& core = *cores_[static_cast<size_t>(self_)];
    Connection* connection = core.Find(id);
    if (connection == nullptr) continue;
    if (connection->session.postponed && connection->session.facts.read > reached_) {
      rest.push_back(id);
      continue;
    }
    connection->session.waits_for_others = false;
    core.ResumeOne(id);
  }
  waiting_ = std::move(rest);
  // Who was read after this round had begun needs the next one.
  if (!waiting_.empty() && BeginRound()) EndRound();
}

void CatchUp::Cron() {
  if (missing_ == 0 || SystemMonotonicNanos() - round_began_ < kPatience) return;
  for (Peer& peer : peers_) {
    if (peer == Peer::kAsked) peer = Peer::kSilent;
  }
  missing_ = 0;
  ++round_;  // answers that still come are for none
  EndRound();
}

}  // namespace cinnabar::server
