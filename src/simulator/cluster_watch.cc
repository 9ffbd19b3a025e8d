#include "simulator/cluster_watch.h"

#include <fmt/format.h>

namespace cinnabar::simulator {
namespace {

constexpr size_t kTraceLines = 20'000;

}  // namespace

void ClusterWatch::Broken(std::string what) {
  if (!broken_.empty()) return;
  broken_ = fmt::format("at {}: {}", setup_.events.now(), what);
  if (tracing()) Trace("BROKEN " + broken_);
}

void ClusterWatch::Trace(std::string line) {
  trace_.push_back(std::move(line));
  if (trace_.size() > kTraceLines) trace_.pop_front();
}

}  // namespace cinnabar::simulator
