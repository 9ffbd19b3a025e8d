// ReadyKeys: keys that somebody waits for and that have changed, each once, first come first served.
//
// Usually there is one. A database that was exchanged makes all its awaited keys ready at once, with the
// world stopped: adding one and taking one cost the same whatever their number.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "keyspace/keyspace.h"

namespace cinnabar::dispatch {

// A key that somebody waits for, and that has changed.
struct ReadyKey {
  int database;
  std::string name;
  uint64_t hash;
  keyspace::Key key() const { return {name, hash}; }
  bool operator==(const ReadyKey&) const = default;
};

class ReadyKeys {
 public:
  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }

  // Nothing when it is there already.
  void Add(ReadyKey key) {
    if (queue_.size() < kFew) {
      for (const ReadyKey& queued : queue_) {
        if (queued == key) return;
      }
    } else {
      if (seen_.empty()) seen_.insert(queue_.begin(), queue_.end());
      if (!seen_.insert(key).second) return;
    }
    queue_.push_back(std::move(key));
  }

  // REQUIRES: not empty.
  ReadyKey TakeFirst() {
    ReadyKey first = std::move(queue_.front());
    queue_.pop_front();
    Forget(first);
    return first;
  }

  // Takes out those for which `goes(key)`, in their order.
  template <typename Goes>
  std::vector<ReadyKey> TakeIf(Goes&& goes) {
    std::vector<ReadyKey> taken;
    std::deque<ReadyKey> stay;
    for (ReadyKey& key : queue_) {
      if (goes(key)) {
        taken.push_back(std::move(key));
      } else {
        stay.push_back(std::move(key));
      }
    }
    queue_ = std::move(stay);
    seen_.clear();
    return taken;
  }

 private:
  // So many are looked through, and not hashed.
  static constexpr size_t kFew = 16;
  struct HashOfKey {
    size_t operator()(const ReadyKey& key) const { return key.hash + static_cast<size_t>(key.database); }
  };

  void Forget(const ReadyKey& key) {
    if (seen_.empty()) return;
    if (queue_.size() < kFew) {
      seen_.clear();
    } else {
      seen_.erase(key);
    }
  }

  std::deque<ReadyKey> queue_;
  std::unordered_set<ReadyKey, HashOfKey> seen_;  // empty while few are queued; or has all that are, or none
};

}  // namespace cinnabar::dispatch
