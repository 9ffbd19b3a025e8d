#include "telemetry/internal/latency_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>

namespace cinnabar::telemetry::internal {
namespace {

constexpr size_t kGraphColumns = 80;
constexpr int kGraphRows = 4;
constexpr std::string_view kTops = "_o#";  // a column's top cell, by how full it is
constexpr int kLevels = kGraphRows * static_cast<int>(kTops.size());

std::string Age(int64_t seconds) {
  seconds = std::max<int64_t>(0, seconds);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

// A column's height in thirds of a row: the lowest sample has 1, the highest all of them.
int LevelOf(Millis latency, Millis low, Millis high) {
  if (high == low) return kLevels;
  return 1 + static_cast<int>((latency - low) * (kLevels - 1) / (high - low));
}

char Cell(int level, int row_from_bottom) {
  constexpr int kPerRow = static_cast<int>(kTops.size());
  const int inside = level - row_from_bottom * kPerRow;
  if (inside <= 0) return ' ';
  return inside > kPerRow ? '|' : kTops[static_cast<size_t>(inside - 1)];
}

void AppendLine(std::string& text, std::string line) {
  line.resize(line.find_last_not_of(' ') + 1);
  text += line;
  text += '\n';
}

struct Summary {
  Millis mean = 0;
  Millis mean_deviation = 0;
  double period_seconds = 0;  // between spikes
};

Summary Summarize(const std::vector<LatencySample>& samples) {
  Summary summary;
  const auto count = static_cast<Millis>(samples.size());
  for (const LatencySample& sample : samples) summary.mean += sample.latency;
  summary.mean /= count;
  for (const LatencySample& sample : samples)
    summary.mean_deviation += std::abs(sample.latency - summary.mean);
  summary.mean_deviation /= count;
  const int64_t span = samples.back().unix_seconds - samples.front().unix_seconds;
  summary.period_seconds = count > 1 ? static_cast<double>(span) / static_cast<double>(count - 1) : 0;
  return summary;
}

struct Advice {
  std::string_view event_prefix;
  std::string_view text;
};

constexpr Advice kAdvice[] = {
    {"command",
     "Look at SLOWLOG for commands that touch many elements at once (KEYS, SMEMBERS, big ranges, SORT) and "
     "walk the data in steps with the SCAN family instead; delete big values with UNLINK."},
    {"fast-command",
     "Commands that should take microseconds were slow: the machine is probably short of CPU or is "
     "swapping. Check for steal time, swap use and huge pages."},
    {"fork",
     "Forking is slow in proportion to the memory used. Prefer machines whose hypervisor forks fast, turn "
     "transparent huge pages off, and take snapshots less often or on a replica."},
    {"expire", "Many keys expire at the same moment. Add some randomness to their times to live."},
    {"eviction",
     "Eviction has much to do. Give the server more memory, or set lazyfree-lazy-eviction to yes so that "
     "big values are freed in the background."},
    {"active-defrag", "Lower active-defrag-cycle-max so that defragmentation takes smaller steps."},
    {"aof-fsync",
     "The disk is slow to sync. Use a faster disk for the append only file, set appendfsync to everysec, "
     "or no-appendfsync-on-rewrite to yes."},
    {"aof-write",
     "Writing the append only file has to wait for the disk. Look for other programs that use it, and "
     "use a faster disk or appendfsync everysec."},
    {"aof", "Work on the append only file's set of files is slow: check the file system and its load."},
    {"rdb", "Removing a temporary snapshot file took long: the file system is slow to free big files."},
};

std::string_view AdviceFor(std::string_view event) {
  for (const Advice& advice : kAdvice) {
    if (event.starts_with(advice.event_prefix)) return advice.text;
  }
  return {};
}

}  // namespace

std::string LatencyGraph(const EventHistory& history, int64_t now_unix_seconds) {
  std::span<const LatencySample> samples = history.samples;
  if (samples.size() > kGraphColumns) samples = samples.last(kGraphColumns);
  const auto by_latency = [](const LatencySample& a, const LatencySample& b) {
    return a.latency < b.latency;
  };
  const auto [lowest, highest] = std::minmax_element(samples.begin(), samples.end(), by_latency);

  std::string text =
      fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{}\n", history.event, highest->latency,
                  lowest->latency, history.all_time_max, std::string(kGraphColumns, '-'));
  for (int row = kGraphRows - 1; row >= 0; --row) {
    std::string line;
    for (const LatencySample& sample : samples) {
      line += Cell(LevelOf(sample.latency, lowest->latency, highest->latency), row);
    }
    AppendLine(text, std::move(line));
  }
  text += '\n';

  std::vector<std::string> ages;
  size_t rows = 0;
  for (const LatencySample& sample : samples) {
    ages.push_back(Age(now_unix_seconds - sample.unix_seconds));
    rows = std::max(rows, ages.back().size());
  }
  for (size_t row = 0; row < rows; ++row) {
    std::string line;
    for (const std::string& age : ages) line += row < age.size() ? age[row] : ' ';
    AppendLine(text, std::move(line));
  }
  return text;
}

std::string LatencyDoctor(const std::vector<EventHistory>& histories, Millis threshold) {
  if (threshold == 0) {
    return "The latency monitor is off. Switch it on with CONFIG SET latency-monitor-threshold "
           "<milliseconds> and ask "
           "again when delays have been seen.\n";
  }
  if (histories.empty()) {
    return fmt::format("No delay of {} ms or more has been seen since the monitor was started or reset.\n",
                       threshold);
  }
  std::string text = "Delays have been seen:\n\n";
  std::string advice = "\nWhat may help:\n\n";
  bool advised = false;
  for (size_t i = 0; i < histories.size(); ++i) {
    const EventHistory& history = histories[i];
    const Summary summary = Summarize(history.samples);
    text += fmt::format(
        "{}. {}: {} delays (mean {} ms, mean deviation {} ms, every {:.1f} s). Worst of all: {} ms.\n", i + 1,
        history.event, history.samples.size(), summary.mean, summary.mean_deviation, summary.period_seconds,
        history.all_time_max);
    if (const std::string_view words = AdviceFor(history.event); !words.empty()) {
      advice += fmt::format("- {}: {}\n", history.event, words);
      advised = true;
    }
  }
  return advised ? text + advice : text;
}

}  // namespace cinnabar::telemetry::internal
