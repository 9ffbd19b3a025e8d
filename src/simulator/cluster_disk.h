// The nodes file on the disk of a simulated machine. It is replaced as a whole: after a crash of the machine
// it is what was synced last, or something newer that was written; never a part of one.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "base/random.h"
#include "cluster/nodes_file.h"

namespace cinnabar::simulator {

class ClusterDisk {
 public:
  bool empty() const { return !written_.has_value(); }
  const std::string& text() const { return *written_; }
  // What a crash cannot take away. Null: nothing.
  const cluster::ClusterRecord* safe() const { return safe_ ? &*safe_ : nullptr; }

  enum class Look : uint8_t { kNo, kParse };
  void Write(std::string text) { written_ = std::move(text); }
  void Sync(Look look) {
    if (synced_ != written_) {
      synced_ = written_;
      if (look == Look::kParse) Parse();
    }
    if (older_.empty() || older_.back() != *written_) older_.push_back(*written_);
    if (older_.size() > kKept) older_.pop_front();
  }
  // The machine loses power.
  void LosePower(Random& random) {
    if (random.OneIn(2)) {
      written_ = synced_;
    } else {
      synced_ = written_;
    }
  }
  // Somebody restores what was synced so many times before.
  void GoBack(size_t times) {
    for (; times > 0 && older_.size() > 1; --times) older_.pop_back();
    if (older_.empty()) return;
    written_ = synced_ = older_.back();
    Parse();
  }
  void Lose() { *this = ClusterDisk(); }

 private:
  static constexpr size_t kKept = 12;

  void Parse() {
    auto record = cluster::ParseNodes(*synced_);
    if (record) {
      safe_ = std::move(*record);
    } else {
      safe_.reset();
    }
  }

  std::optional<std::string> written_;
  std::optional<std::string> synced_;
  std::optional<cluster::ClusterRecord> safe_;
  std::deque<std::string> older_;
};

}  // namespace cinnabar::simulator
