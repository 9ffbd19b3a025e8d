// The journal's stream into the backlog. Added to the journal when the backlog is started, at the journal's
// offset then, and removed when it is stopped; both while nothing else runs.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "journal/journal.h"
#include "replication/backlog.h"

namespace cinnabar::replication {

class BacklogSink final : public journal::JournalSink {
 public:
  // `backlog` must outlive it.
  explicit BacklogSink(Backlog& backlog) : backlog_(backlog) {}

  void OnBytes(uint64_t offset, std::string_view bytes) override {
    // Offsets of the journal and of the stream are one thing.
    CHECK(offset == backlog_.end());
    backlog_.Append(bytes);
  }

 private:
  Backlog& backlog_;
};

}  // namespace cinnabar::replication
