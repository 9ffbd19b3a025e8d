#include "simulator/sentinel_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::simulator {
namespace {

constexpr size_t kTraceLines = 5000;

}  // namespace

// ---- answered writes ----

bool SentinelWatch::KeepsAnsweredWrites() const {
  const SentinelOptions& options = setup_.options;
  return options.durable && options.node.loads_beside_old_data &&
         options.node.acks_needed + 1 >= static_cast<size_t>(options.servers);
}

uint64_t SentinelWatch::CountLost(const Node& primary) const {
  return static_cast<uint64_t>(std::ranges::count_if(
      answered_, [&](const Position& write) { return !truth_.Includes(primary.position(), write); }));
}

void SentinelWatch::CheckAnswered(const Node& primary) {
  if (!KeepsAnsweredWrites()) return;
  const uint64_t lost = CountLost(primary);
  if (lost == 0) return;
  Broken(
      fmt::format("{} of {} answered writes are lost by {}", lost, answered_.size(), primary.Description()));
}

// ---- what nodes tell ----

void SentinelWatch::OnRoot(const Node& node, std::optional<Position> grown_from) {
  truth_.AddRoot(node.history().id(), node.offset(), node.data().mark(), grown_from);
  if (node.is_primary()) CheckAnswered(node);
}

void SentinelWatch::OnBranch(const Node& node) {
  truth_.AddBranch(node.history().id(), node.history().second_id(), node.offset());
  ++promotions_;
  if (node.number() == setup_.options.never_promoted) {
    Broken("promoted in spite of its priority: " + node.Description());
  }
  CheckAnswered(node);
}

void SentinelWatch::OnWritten(const Node& node) {
  truth_.AddBorder(node.history().id(), node.offset(), node.data().mark());
}

void SentinelWatch::OnState(const Node& node) {
  if (truth_.At(node.history().id(), node.offset()) != node.data().mark()) {
    Broken(node.Description() + ": its data is not what its history was at that offset");
  }
}

void SentinelWatch::OnAnswered(const Node& node, AnsweredWrite write) {
  std::ranges::sort(write.holders);
  const auto repeated = std::ranges::unique(write.holders);
  write.holders.erase(repeated.begin(), repeated.end());
  if (write.holders.size() < setup_.options.node.acks_needed) {
    Broken(fmt::format("{} answers a write that {} servers have acknowledged, not {}", node.Description(),
                       write.holders.size(), setup_.options.node.acks_needed));
  }
  ++answered;
  answered_.push_back(write.position);
  setup_.answer(node.number(), write.position);
}

void SentinelWatch::Broken(std::string what) {
  if (broken_.empty()) broken_ = fmt::format("at {}: {}", setup_.events.now(), what);
}

void SentinelWatch::Trace(std::string line) {
  trace_.push_back(std::move(line));
  if (trace_.size() > kTraceLines) trace_.pop_front();
}

}  // namespace cinnabar::simulator
