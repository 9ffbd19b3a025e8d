// How readily the kernel kills this process when memory runs out (`oom-score-adj`).
#pragma once

#include <array>
#include <string>

#include "base/result.h"

namespace cinnabar::os {

enum class OomScoreMode { kNo, kRelative, kAbsolute };
enum class OomScoreRole { kMaster, kReplica, kChild };

// Remembers what the score was before it was first changed: relative values count from it, and switching off
// restores it. Survives a fork: the child's copy acts on the child. One thread at a time.
class OomScore {
 public:
  using Values = std::array<int, 3>;  // by OomScoreRole

  explicit OomScore(std::string path = "/proc/self/oom_score_adj") : path_(std::move(path)) {}

  // Touches nothing while the mode is and stays kNo. On failure the score, and what this object believes
  // about it, are as before; so that the caller need only keep its old configuration.
  Status Apply(OomScoreMode mode, const Values& values, OomScoreRole role);

 private:
  Result<int> Read() const;
  Status Write(int score) const;

  std::string path_;
  bool changed_ = false;
  int original_ = 0;
};

}  // namespace cinnabar::os
