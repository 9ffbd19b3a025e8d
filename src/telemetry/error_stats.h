// How often each error code ("ERR", "WRONGTYPE", …) was sent, one table per core thread.
//
// Scripts can invent codes, so the table holds a limited number of them; what comes later counts as
// ERRORSTATS_OVERFLOW. Codes are only ever appended and published by the size, so readers need no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "telemetry/counter.h"

namespace cinnabar::telemetry {

class ErrorStats {
 public:
  static constexpr size_t kCodesMax = 128;
  static constexpr size_t kCodeBytesMax = 64;
  static constexpr std::string_view kOverflow = "ERRORSTATS_OVERFLOW";

  // Owner thread. `code` is the first word of the reply, see ErrorCodeOf.
  void Add(std::string_view code);

  // Any thread.
  uint64_t Total() const { return total_.Get(); }
  size_t Distinct() const { return size_.load(std::memory_order_acquire); }
  void AddTo(std::map<std::string, uint64_t>& counts) const;

  // While neither the owner nor a reader is at it.
  void Reset();

 private:
  struct Row {
    std::string code;
    Counter count;
  };

  std::array<Row, kCodesMax> rows_;
  std::atomic<size_t> size_{0};
  Counter overflow_;
  Counter total_;
};

// The sum over cores, sorted by code, again with no more than kCodesMax codes.
std::map<std::string, uint64_t> MergeErrorStats(std::span<const ErrorStats* const> cores);

// "WRONGTYPE" of "-WRONGTYPE Operation against …" or of "WRONGTYPE Operation …". A text of one word has
// "ERR".
std::string_view ErrorCodeOf(std::string_view reply);

}  // namespace cinnabar::telemetry
