// Latencies in a fixed table: 32 steps per power of two, so that every quantile is right within about 3 %.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cinnabar::bench {

class Histogram {
 public:
  void Add(uint64_t nanos) {
    ++counts_[Index(nanos)];
    ++total_;
    if (nanos > max_) max_ = nanos;
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }

  // The value, in microseconds, that `fraction` of all values do not exceed; 0 when there are none.
  double QuantileMicros(double fraction) const {
    uint64_t wanted = static_cast<uint64_t>(fraction * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return Middle(i) / 1000.0;
    }
    return MaxMicros();
  }

  double MaxMicros() const { return static_cast<double>(max_) / 1000.0; }
  uint64_t total() const { return total_; }

 private:
  static constexpr int kStepBits = 5;
  static constexpr uint64_t kSteps = 1u << kStepBits;

  static size_t Index(uint64_t value) {
    if (value < kSteps) return value;
    int shift = std::bit_width(value) - 1 - kStepBits;
    return (static_cast<size_t>(shift) << kStepBits) + (value >> shift);
  }

  static double Middle(size_t index) {
    if (index < 2 * kSteps) return static_cast<double>(index);
    int shift = static_cast<int>(index >> kStepBits) - 1;
    double low = static_cast<double>((index & (kSteps - 1)) | kSteps);
    return (low + 0.5) * static_cast<double>(uint64_t{1} << shift);
  }

  std::array<uint64_t, (64 - kStepBits + 1) * kSteps> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace cinnabar::bench
