#include "telemetry/rate_sampler.h"

namespace cinnabar::telemetry {

void RateSampler::Sample(Millis now, uint64_t reading) {
  const Millis passed = now - last_time_;
  if (started_ && passed > 0) {
    const uint64_t growth = reading >= last_reading_ ? reading - last_reading_ : 0;
    const uint64_t per_second =
        growth * static_cast<uint64_t>(kMillisPerSecond) / static_cast<uint64_t>(passed);
    samples_[next_].store(per_second, std::memory_order_relaxed);
    next_ = (next_ + 1) % kSamples;
  }
  started_ = true;
  last_time_ = now;
  last_reading_ = reading;
}

uint64_t RateSampler::PerSecond() const {
  uint64_t sum = 0;
  for (const auto& sample : samples_) sum += sample.load(std::memory_order_relaxed);
  return sum / kSamples;
}

void RateSampler::Reset() {
  for (auto& sample : samples_) sample.store(0, std::memory_order_relaxed);
  next_ = 0;
  started_ = false;
}

}  // namespace cinnabar::telemetry
