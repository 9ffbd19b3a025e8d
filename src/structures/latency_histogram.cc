#include "structures/latency_histogram.h"

#include <algorithm>

namespace cinnabar {

template <typename Visitor>
void LatencyHistogram::ForEachCount(Visitor visit) const {
  for (size_t index = 0; index < kSegments; ++index) {
    const Segment* segment = segments_[index].load(std::memory_order_acquire);
    if (segment == nullptr) continue;
    for (size_t bucket = 0; bucket < kSegmentBuckets; ++bucket) {
      const uint64_t count = (*segment)[bucket].load(std::memory_order_relaxed);
      if (count != 0 && !visit(Place{index, bucket}, count)) return;
    }
  }
}

LatencyHistogram::Segment* LatencyHistogram::AddSegment(size_t index) {
  auto* segment = new Segment{};
  // Readers must see zeros behind the pointer.
  segments_[index].store(segment, std::memory_order_release);
  return segment;
}

void LatencyHistogram::FreeSegments() {
  for (std::atomic<Segment*>& segment : segments_) delete segment.load(std::memory_order_relaxed);
}

uint64_t LatencyHistogram::TotalCount() const {
  uint64_t total = 0;
  ForEachCount([&total](Place, uint64_t count) {
    total += count;
    return true;
  });
  return total;
}

uint64_t LatencyHistogram::NanosAtPercentile(double percent) const {
  const uint64_t total = TotalCount();
  const auto rank = static_cast<uint64_t>(percent / 100 * static_cast<double>(total) + 0.5);
  // The owner may record meanwhile: the walk then ends a little early, never late.
  const uint64_t wanted = std::clamp<uint64_t>(rank, 1, std::max<uint64_t>(total, 1));
  uint64_t seen = 0;
  uint64_t nanos = 0;
  ForEachCount([&](Place place, uint64_t count) {
    seen += count;
    nanos = LargestNanosAt(place);
    return seen < wanted;
  });
  return nanos;
}

std::vector<LatencyHistogram::CumulativeCount> LatencyHistogram::CumulativePowersOfTwo() const {
  constexpr uint64_t kFirstStep = 1024;
  constexpr uint64_t kLastStepEnd = LargestNanosAt({kSegments - 1, kSegmentBuckets - 1});
  std::vector<CumulativeCount> steps;
  uint64_t step = kFirstStep;
  uint64_t step_end = LargestNanosAt(PlaceOf(step));
  ForEachCount([&](Place place, uint64_t count) {
    while (LargestNanosAt(place) > step_end) {
      step *= 2;
      step_end = std::min(LargestNanosAt(PlaceOf(step)), kLastStepEnd);
    }
    if (steps.empty() || steps.back().nanos != step_end) {
      steps.push_back({step_end, steps.empty() ? 0 : steps.back().count});
    }
    steps.back().count += count;
    return true;
  });
  return steps;
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  other.ForEachCount([this](Place place, uint64_t count) {
    Segment* segment = segments_[place.segment].load(std::memory_order_relaxed);
    if (segment == nullptr) segment = AddSegment(place.segment);
    std::atomic<uint64_t>& counter = (*segment)[place.bucket];
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    return true;
  });
}

void LatencyHistogram::Reset() {
  for (std::atomic<Segment*>& entry : segments_) {
    Segment* segment = entry.load(std::memory_order_relaxed);
    if (segment == nullptr) continue;
    for (std::atomic<uint64_t>& counter : *segment) counter.store(0, std::memory_order_relaxed);
  }
}

size_t LatencyHistogram::AllocatedBytes() const {
  return static_cast<size_t>(std::count_if(
             segments_.begin(), segments_.end(),
             [](const auto& segment) { return segment.load(std::memory_order_relaxed) != nullptr; })) *
         sizeof(Segment);
}

}  // namespace cinnabar
