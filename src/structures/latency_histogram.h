// Counts how long things took, over nine orders of magnitude with an error below 0.8 %, in a few
// instructions.
//
// The scale is log-linear, as in HdrHistogram (Gil Tene, hdrhistogram.org) with two significant digits: each
// power of two is cut into 128 equal buckets, below 256 ns every nanosecond has its own. A bucket's number
// needs one count of leading zeros and one shift. The counters of one power of two are a segment of 1 KiB,
// which does not exist before something is counted in it: a histogram that never counted costs its pointers,
// a typical one two or three segments.
//
// Threads: one thread (the owner) calls Record. Everything const may run on any thread at the same time and
// sees each counter at some recent moment. Reset and Merge belong to the owner, or to who keeps the owner
// from recording.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cinnabar {

class LatencyHistogram {
 public:
  // Longer times count as this long.
  static constexpr uint64_t kNanosMax = 1'000'000'000;

  LatencyHistogram() = default;
  ~LatencyHistogram() { FreeSegments(); }
  LatencyHistogram(const LatencyHistogram&) = delete;
  LatencyHistogram& operator=(const LatencyHistogram&) = delete;

  void Record(uint64_t nanos) {
    const Place place = PlaceOf(nanos < kNanosMax ? nanos : kNanosMax);
    Segment* segment = segments_[place.segment].load(std::memory_order_relaxed);
    if (segment == nullptr) [[unlikely]]
      segment = AddSegment(place.segment);
    // One writer: no locked instruction is needed.
    std::atomic<uint64_t>& counter = (*segment)[place.bucket];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // How much was recorded. Linear in the segments in use, like every query.
  uint64_t TotalCount() const;

  // The time that `percent` of the records did not exceed, as the largest of its bucket; 0 if there are no
  // records. REQUIRES: 0 <= percent <= 100.
  uint64_t NanosAtPercentile(double percent) const;

  // The records up to and including `nanos` and the rest of its bucket.
  struct CumulativeCount {
    uint64_t nanos;
    uint64_t count;
  };
  // The steps of LATENCY HISTOGRAM: the buckets of 1024 ns, 2048 ns, 4096 ns, ... Steps that add no record
  // are left out; the last step has all records.
  std::vector<CumulativeCount> CumulativePowersOfTwo() const;

  // Adds the other's counts to this one's.
  void Merge(const LatencyHistogram& other);

  // Forgets all records. The segments stay: what was recorded once will be again.
  void Reset();

  // Memory behind the pointers.
  size_t AllocatedBytes() const;

 private:
  static constexpr int kSegmentBits = 7;
  static constexpr size_t kSegmentBuckets = size_t{1} << kSegmentBits;
  // Segment 0 holds 0..127, segment 1 128..255, segment s the rest of the powers of two: 2^(s+6) .. 2^(s+7)
  // - 1.
  static constexpr size_t kSegments = 30 - kSegmentBits + 1;
  static_assert(std::bit_width(kNanosMax) == 30);
  using Segment = std::array<std::atomic<uint64_t>, kSegmentBuckets>;

  struct Place {
    size_t segment;
    size_t bucket;
  };

  static constexpr Place PlaceOf(uint64_t nanos) {
    const int width = std::bit_width(nanos);
    if (width <= kSegmentBits) return {0, nanos};
    const int shift = width - kSegmentBits - 1;
    return {static_cast<size_t>(shift) + 1, (nanos >> shift) - kSegmentBuckets};
  }

  static constexpr uint64_t LargestNanosAt(Place place) {
    if (place.segment == 0) return place.bucket;
    return ((place.bucket + kSegmentBuckets + 1) << (place.segment - 1)) - 1;
  }

  Segment* AddSegment(size_t index);
  void FreeSegments();

  // Calls visit(place, count) for every counter that is not zero, in ascending order, until it returns false.
  template <typename Visitor>
  void ForEachCount(Visitor visit) const;

  std::array<std::atomic<Segment*>, kSegments> segments_{};
};

}  // namespace cinnabar
