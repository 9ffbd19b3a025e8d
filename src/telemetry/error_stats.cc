#include "telemetry/error_stats.h"

namespace cinnabar::telemetry {

void ErrorStats::Add(std::string_view code) {
  total_.Add();
  code = code.substr(0, kCodeBytesMax);
  const size_t size = size_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < size; ++i) {
    if (rows_[i].code == code) {
      rows_[i].count.Add();
      return;
    }
  }
  if (size == kCodesMax) {
    overflow_.Add();
    return;
  }
  rows_[size].code = code;
  rows_[size].count.Set(1);
  size_.store(size + 1, std::memory_order_release);
}

void ErrorStats::AddTo(std::map<std::string, uint64_t>& counts) const {
  const size_t size = Distinct();
  for (size_t i = 0; i < size; ++i) {
    if (const uint64_t count = rows_[i].count.Get()) counts[rows_[i].code] += count;
  }
  if (const uint64_t count = overflow_.Get()) counts[std::string(kOverflow)] += count;
}

void ErrorStats::Reset() {
  size_.store(0, std::memory_order_release);
  overflow_.Set(0);
  total_.Set(0);
}

std::map<std::string, uint64_t> MergeErrorStats(std::span<const ErrorStats* const> cores) {
  std::map<std::string, uint64_t> counts;
  for (const ErrorStats* core : cores) core->AddTo(counts);
  if (counts.size() <= ErrorStats::kCodesMax + 1) return counts;
  const std::string overflow(ErrorStats::kOverflow);
  uint64_t& rest = counts[overflow];
  for (auto last = counts.end(); counts.size() > ErrorStats::kCodesMax + 1;) {
    --last;
    if (last->first == overflow) continue;
    rest += last->second;
    last = counts.erase(last);
  }
  return counts;
}

std::string_view ErrorCodeOf(std::string_view reply) {
  if (reply.starts_with('-')) reply.remove_prefix(1);
  const size_t space = reply.find_first_of(" \r\n");
  if (space == 0 || space == std::string_view::npos) return "ERR";
  return reply.substr(0, space);
}

}  // namespace cinnabar::telemetry
