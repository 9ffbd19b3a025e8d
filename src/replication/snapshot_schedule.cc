#include "replication/snapshot_schedule.h"

#include <algorithm>

#include "base/check.h"

namespace cinnabar::replication {

SnapshotSchedule::Order SnapshotSchedule::OrderFor(const PrimaryLink& link, const Settings& settings) {
  const ReplicaTraits& traits = link.traits();
  // A filtered payload is nobody's dump file: it is always streamed.
  const bool streamed = traits.capa_eof && (settings.diskless || traits.filter.any());
  return {streamed ? Transfer::kStream : Transfer::kFile, traits.filter};
}

bool SnapshotSchedule::Suits(const Order& order, const PrimaryLink& link) {
  return order.filter == link.traits().filter &&
         (order.transfer == Transfer::kFile || link.traits().capa_eof);
}

void SnapshotSchedule::Add(PrimaryLink& link, Millis now) {
  CHECK(link.state() == PrimaryLink::State::kWaitStart);
  const bool joinable = making_ && making_->order.transfer == Transfer::kFile && making_->begin;
  if (joinable && Suits(making_->order, link)) {
    auto cursor = making_->backlog->Open(making_->position.offset);
    CHECK(cursor.has_value());
    link.BeginPayload(making_->position, Transfer::kFile, std::move(*cursor), {}, now);
    receivers_.push_back(&link);
    return;
  }
  waiting_.push_back({&link, now});
}

SnapshotSchedule::Left SnapshotSchedule::Remove(PrimaryLink& link) {
  std::erase_if(waiting_, [&link](const Waiting& waiting) { return waiting.link == &link; });
  if (std::erase(receivers_, &link) != 0 && receivers_.empty()) return Left::kNobodyWaits;
  return Left::kNothing;
}

std::optional<SnapshotSchedule::Order> SnapshotSchedule::Due(Millis now, const Settings& settings) const {
  if (making_ || waiting_.empty()) return std::nullopt;
  // The oldest decides; others come along if they want the same.
  const Order order = OrderFor(*waiting_.front().link, settings);
  if (order.transfer == Transfer::kFile) return order;
  const auto alike = std::ranges::count_if(
      waiting_, [&](const Waiting& waiting) { return OrderFor(*waiting.link, settings) == order; });
  const bool enough = settings.diskless_replicas_max > 0 && alike >= settings.diskless_replicas_max;
  if (!enough && now - waiting_.front().since < settings.diskless_delay) return std::nullopt;
  return order;
}

void SnapshotSchedule::Begun(const Order& order, const Position& position, Backlog& backlog,
                             std::string_view mark, Millis now) {
  CHECK(!making_);
  auto begin = backlog.Open(position.offset);
  CHECK(begin.has_value());
  making_ = Making{order, position, std::string(mark), &backlog, std::move(*begin)};
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (!Suits(order, *waiting.link)) return false;
    waiting.link->BeginPayload(position, order.transfer, *backlog.Open(position.offset), mark, now);
    receivers_.push_back(waiting.link);
    return true;
  });
}

std::vector<PrimaryLink*> SnapshotSchedule::BeginFailed(const Order& order) {
  std::vector<PrimaryLink*> failed;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (!Suits(order, *waiting.link)) return false;
    waiting.link->GiveUpSnapshot();
    failed.push_back(waiting.link);
    return true;
  });
  return failed;
}

void SnapshotSchedule::HistoryChanged() {
  CHECK(waiting_.empty() && receivers_.empty());
  if (making_) making_->begin.Close();
}

SnapshotSchedule::Receivers SnapshotSchedule::Ended(Result result, uint64_t size, Millis now) {
  CHECK(making_.has_value());
  Receivers told;
  if (result == Result::kFailed) {
    told.close.swap(receivers_);
  } else if (making_->order.transfer == Transfer::kFile) {
    told.send_file.swap(receivers_);
    for (PrimaryLink* link : told.send_file) link->AnnounceFile(size, now);
  } else {
    told.finished.swap(receivers_);
    for (PrimaryLink* link : told.finished) link->EndPayload(making_->mark, now);
  }
  making_.reset();
  return told;
}

}  // namespace cinnabar::replication
