#include "telemetry/slow_log.h"

#include <fmt/core.h>

#include <algorithm>

namespace cinnabar::telemetry {
namespace {

std::string Trimmed(std::string_view argument) {
  if (argument.size() <= SlowLog::kArgumentBytesMax) return std::string(argument);
  const size_t rest = argument.size() - SlowLog::kArgumentBytesMax;
  return fmt::format("{}... ({} more bytes)", argument.substr(0, SlowLog::kArgumentBytesMax), rest);
}

std::vector<std::string> Trimmed(std::span<const std::string_view> arguments) {
  const bool too_many = arguments.size() > SlowLog::kArgumentsMax;
  const size_t kept = too_many ? SlowLog::kArgumentsMax - 1 : arguments.size();
  std::vector<std::string> result;
  result.reserve(kept + 1);
  for (std::string_view argument : arguments.first(kept)) result.push_back(Trimmed(argument));
  if (too_many) result.push_back(fmt::format("... ({} more arguments)", arguments.size() - kept));
  return result;
}

}  // namespace

void SlowLog::Add(int64_t unix_seconds, Micros duration, std::span<const std::string_view> arguments,
                  std::string_view client_address, std::string_view client_name) {
  SlowLogEntry entry{.unix_seconds = unix_seconds,
                     .duration = duration,
                     .arguments = Trimmed(arguments),
                     .client_address = std::string(client_address),
                     .client_name = std::string(client_name)};
  const std::lock_guard lock(mutex_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  if (entries_.size() > entries_max_) entries_.resize(entries_max_);
}

std::vector<SlowLogEntry> SlowLog::Newest(size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto end = entries_.begin() + static_cast<ptrdiff_t>(std::min(count, entries_.size()));
  return {entries_.begin(), end};
}

size_t SlowLog::Size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void SlowLog::Reset() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

void SlowLog::SetEntriesMax(size_t entries_max) {
  const std::lock_guard lock(mutex_);
  entries_max_ = entries_max;
  if (entries_.size() > entries_max_) entries_.resize(entries_max_);
}

}  // namespace cinnabar::telemetry
