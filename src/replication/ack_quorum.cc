#include "replication/ack_quorum.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace cinnabar::replication {

AckQuorum::Member AckQuorum::Add(StreamOffset offset) {
  std::lock_guard lock(lock_);
  descending_.insert(std::ranges::upper_bound(descending_, offset, std::greater()), offset);
  if (free_.empty()) {
    of_member_.push_back(offset);
    return static_cast<Member>(of_member_.size() - 1);
  }
  const Member member = free_.back();
  free_.pop_back();
  of_member_[member] = offset;
  return member;
}

void AckQuorum::Remove(Member member) {
  std::lock_guard lock(lock_);
  descending_.erase(std::ranges::lower_bound(descending_, of_member_[member], std::greater()));
  free_.push_back(member);
}

bool AckQuorum::Acknowledge(Member member, StreamOffset offset) {
  std::lock_guard lock(lock_);
  const StreamOffset before = of_member_[member];
  if (offset <= before) return false;
  of_member_[member] = offset;
  // The first of its equals moves to the front until the order is right again.
  auto place = std::ranges::lower_bound(descending_, before, std::greater());
  while (place != descending_.begin() && *(place - 1) < offset) {
    *place = *(place - 1);
    --place;
  }
  *place = offset;
  return true;
}

size_t AckQuorum::size() const {
  std::lock_guard lock(lock_);
  return descending_.size();
}

StreamOffset AckQuorum::Reached(size_t n) const {
  std::lock_guard lock(lock_);
  if (n == 0) return std::numeric_limits<StreamOffset>::max();
  return n <= descending_.size() ? descending_[n - 1] : 0;
}

size_t AckQuorum::CountAt(StreamOffset offset) const {
  std::lock_guard lock(lock_);
  return std::ranges::upper_bound(descending_, offset, std::greater()) - descending_.begin();
}

}  // namespace cinnabar::replication
