#include "os/oom_score.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "os/files.h"

namespace cinnabar::os {
namespace {
constexpr int kKernelMin = -1000;
constexpr int kKernelMax = 1000;
}  // namespace

Status OomScore::Apply(OomScoreMode mode, const Values& values, OomScoreRole role) {
  if (mode == OomScoreMode::kNo) {
    if (!changed_) return {};
    TRY_STATUS(Write(original_));
    changed_ = false;
    return {};
  }
  const int original = changed_ ? original_ : TRY(Read());
  int score = values[static_cast<size_t>(role)];
  if (mode == OomScoreMode::kRelative) score += original;
  TRY_STATUS(Write(std::clamp(score, kKernelMin, kKernelMax)));
  original_ = original;
  changed_ = true;
  return {};
}

Result<int> OomScore::Read() const {
  const auto text = ReadWholeFile(path_);
  if (!text) {
    const int code = text.error().code;
    return Fail(fmt::format("Unable to read oom_score_adj: {}", std::strerror(code)), code);
  }
  int score = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), score).ec != std::errc{}) {
    return Fail("Unable to read oom_score_adj: there is no number");
  }
  return score;
}

Status OomScore::Write(int score) const {
  const std::string text = fmt::format("{}", score);
  const int fd = open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  const bool written = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int code = errno;
  if (fd >= 0) close(fd);
  if (!written) return Fail(fmt::format("Unable to write oom_score_adj: {}", std::strerror(code)), code);
  return {};
}

}  // namespace cinnabar::os
