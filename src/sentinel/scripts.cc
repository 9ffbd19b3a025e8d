#include "sentinel/scripts.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::sentinel {

void Scripts::Add(std::string path, std::vector<std::string> arguments) {
  jobs_.push_back({.number = ++last_number_, .path = std::move(path), .arguments = std::move(arguments)});
  if (jobs_.size() <= limits_.queued) return;
  const auto oldest = std::ranges::find(jobs_, false, &Job::running);
  if (oldest != jobs_.end()) jobs_.erase(oldest);
}

size_t Scripts::running() const {
  return static_cast<size_t>(std::ranges::count(jobs_, true, &Job::running));
}

void Scripts::OnTick(Millis now, Millis max_runtime) {
  size_t runs = running();
  for (Job& job : jobs_) {
    if (job.running) {
      if (now - job.start_at <= max_runtime || job.killed) continue;
      port_.Announce(LogLevel::kWarning, "-script-timeout", fmt::format("{} {}", job.path, job.process));
      job.killed = true;
      port_.KillScript(job.number);
      continue;
    }
    if (runs >= limits_.running || job.start_at > now) continue;
    job.running = true;
    job.killed = false;
    job.process = 0;
    job.start_at = now;
    ++job.attempts;
    ++runs;
    const auto started = port_.StartScript({job.number, job.path, job.arguments});
    if (started) {
      job.process = *started;
      port_.Announce(LogLevel::kDebug, "+script-child", std::to_string(job.process));
    } else {
      failed_.push_back(job.number);
      port_.Announce(LogLevel::kWarning, "-script-error", fmt::format("{} 99 0", job.path));
    }
  }
  for (const uint64_t number : failed_) Repeat(number, now, kFailedStartDelay);
  failed_.clear();
}

void Scripts::Ended(uint64_t number, std::optional<int> exit_code, int signal, Millis now,
                    Millis retry_delay) {
  const auto job = std::ranges::find(jobs_, number, &Job::number);
  if (job == jobs_.end()) return;
  port_.Announce(LogLevel::kDebug, "-script-child",
                 fmt::format("{} {} {}", job->process, exit_code.value_or(0), signal));
  if (!exit_code || *exit_code == 1) return Repeat(number, now, retry_delay);
  if (*exit_code != 0)
    port_.Announce(LogLevel::kWarning, "-script-error",
                   fmt::format("{} {} {}", job->path, signal, *exit_code));
  jobs_.erase(job);
}

void Scripts::Repeat(uint64_t number, Millis now, Millis retry_delay) {
  const auto job = std::ranges::find(jobs_, number, &Job::number);
  if (job == jobs_.end()) return;
  if (job->attempts >= limits_.attempts) {
    port_.Announce(LogLevel::kWarning, "-script-error",
                   fmt::format("{} gave up after {} attempts", job->path, job->attempts));
    jobs_.erase(job);
    return;
  }
  job->running = false;
  job->process = 0;
  job->start_at = now + (retry_delay << (job->attempts - 1));
}

}  // namespace cinnabar::sentinel
