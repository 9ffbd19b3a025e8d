// Invalidations: what the clients of one core are told about keys that they have cached, on its way to them.
//
// Any core puts letters in, while it holds the shards of the keys; the owner writes them to its connections
// between two commands, before the next command begins. Nothing else may come between: a client that asks
// something after it has heard of a change elsewhere has the invalidation before the answer, and the reply of
// a read that has seen the old value lies before the invalidation in its output (docs/design/tracking.md).
//
// A letter waits while it cannot be written: a command of the connection is in the middle (a long one that
// gives the others a turn), or the reply of its blocked command is on its way here.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "dispatch/tracking.h"

namespace cinnabar::server {

class Connection;
class Core;
using Cores = std::vector<std::unique_ptr<Core>>;

class Invalidations {
 public:
  // `cores` must outlive this, and so must the sum of what all invalidations on their way take.
  Invalidations(const Cores& cores, std::atomic<uint64_t>& bytes) : cores_(cores), bytes_(bytes) {}

  // Any thread. True when nothing new was there: the owner may be asleep, and has to be woken.
  bool Post(dispatch::Invalidation letter);

  // Whether there may be something to write: costs one load.
  bool any() const { return any_.load(std::memory_order_acquire); }
  // The owner's thread, between two commands of the connections that are not in the middle of one.
  void Write(Core& owner);
  // The owner's thread: what was written has been sent, as far as its clients take it. From now on it counts
  // as any reply does.
  void Sent() {
    if (written_bytes_ == 0) [[likely]]
      return;
    bytes_.fetch_sub(written_bytes_, std::memory_order_relaxed);
    written_bytes_ = 0;
  }

 private:
  enum class Handled : uint8_t { kYes, kLater };
  Handled Hand(Core& owner, const dispatch::Invalidation& letter,
               const dispatch::Invalidation::Recipient& recipient);
  void ReportGone(const dispatch::Invalidation::Recipient& recipient);

  const Cores& cores_;
  std::atomic<uint64_t>& bytes_;
  std::mutex mutex_;
  std::vector<dispatch::Invalidation> arrived_;  // guarded by mutex_
  std::vector<dispatch::Invalidation> kept_;     // the owner's: could not be written yet
  uint64_t written_bytes_ = 0;                   // the owner's: that outputs have grown by
  std::atomic<bool> any_{false};
};

// Takes invalidations to all cores.
class InvalidationPost final : public dispatch::InvalidationDelivery {
 public:
  // `cores` must outlive this, and must not change any more once somebody tracks.
  explicit InvalidationPost(const Cores& cores) : cores_(cores) {}

  void Deliver(int core, int from, dispatch::Invalidation invalidation) override;
  void WriteArrived(int core) override;

 private:
  const Cores& cores_;
};

}  // namespace cinnabar::server
