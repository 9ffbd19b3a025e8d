// TimedHashes: the names of the hashes in one shard whose fields may expire, each with a moment before which
// none does. A sweep asks it where to look.
//
// It is a hint, not a mirror: a name stays when its hash is gone or has changed, and leaves when its moment
// comes and nothing is found. A hash with timed fields is always in it.
//
// Belongs to the holder of the shard.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"

namespace cinnabar::keyspace {

class TimedHashes {
 public:
  // Keeps the earlier of this moment and the one noted before.
  void Note(std::string_view name, Millis at) {
    auto found = moments_.find(name);
    if (found == moments_.end()) {
      moments_.emplace(name, at);
    } else {
      found->second = std::min(found->second, at);
    }
  }

  // Takes out up to `limit` names whose moment has come.
  std::vector<std::string> TakeDue(Millis now, size_t limit) {
    std::vector<std::string> due;
    for (auto it = moments_.begin(); it != moments_.end() && due.size() < limit;) {
      if (it->second > now) {
        ++it;
        continue;
      }
      due.push_back(it->first);
      it = moments_.erase(it);
    }
    return due;
  }

  // The first moment of all.
  Millis Next() const {
    Millis next = std::numeric_limits<Millis>::max();
    for (const auto& [name, at] : moments_) next = std::min(next, at);
    return next;
  }

  // `bool visit(std::string_view name)` for the names, in no order, until one returns false.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& [name, at] : moments_) {
      if (!visit(std::string_view(name))) return;
    }
  }

  bool empty() const { return moments_.empty(); }
  size_t size() const { return moments_.size(); }

 private:
  std::unordered_map<std::string, Millis, HashOfName, std::equal_to<>> moments_;
};

}  // namespace cinnabar::keyspace
