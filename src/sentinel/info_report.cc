#include "sentinel/info_report.h"

#include <algorithm>

#include "base/numbers.h"

namespace cinnabar::sentinel {
namespace {

constexpr size_t kRunIdBytes = 40;
constexpr size_t kReplicasMax = 65'536;

std::optional<int> ParsePort(std::string_view text) {
  const auto port = ParseInt64(text);
  if (!port || *port <= 0 || *port > 65535) return std::nullopt;
  return static_cast<int>(*port);
}

std::optional<uint64_t> ParseOffset(std::string_view text) {
  const auto offset = ParseInt64(text);
  if (!offset || *offset < 0) return std::nullopt;
  return static_cast<uint64_t>(*offset);
}

// Behind "slaveN:": "ip=HOST,port=PORT,…" or, before 2.8, "HOST,PORT,…".
std::optional<InfoReport::ReplicaLine> ParseReplica(std::string_view text) {
  InfoReport::ReplicaLine replica;
  const bool named = text.find("ip=") != std::string_view::npos;
  for (int field = 0; !text.empty() && field < 16; ++field) {
    const size_t end = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (named ? word.starts_with("ip=") : field == 0) {
      if (named) word.remove_prefix(3);
      replica.host = word;
    } else if (named ? word.starts_with("port=") : field == 1) {
      if (named) word.remove_prefix(5);
      const auto port = ParsePort(word);
      if (!port) return std::nullopt;
      replica.port = *port;
    }
  }
  if (replica.host.empty() || replica.port == 0) return std::nullopt;
  return replica;
}

// "slave0", "slave12": a line about a replica.
bool NamesReplica(std::string_view name) {
  if (!name.starts_with("slave") || name.size() < 6) return false;
  return name.find_first_not_of("0123456789", 5) == std::string_view::npos;
}

void TakeField(std::string_view name, std::string_view value, InfoReport& report) {
  if (name == "run_id") {
    if (value.size() == kRunIdBytes) report.run_id = value;
  } else if (name == "role") {
    if (value == "master" || value == "slave") report.is_primary = value == "master";
  } else if (name == "master_host") {
    report.followed_host = value;
  } else if (name == "master_port") {
    report.followed_port = ParsePort(value);
  } else if (name == "master_link_status") {
    report.link_is_up = value == "up";
  } else if (name == "master_link_down_since_seconds") {
    report.link_down_seconds = ParseInt64(value);
  } else if (name == "slave_priority") {
    report.priority = ParseInt64(value);
  } else if (name == "slave_repl_offset") {
    report.replication_offset = ParseOffset(value);
  } else if (name == "master_repl_offset") {
    report.primary_offset = ParseOffset(value);
  } else if (name == "replica_announced") {
    report.announced = value != "0";
  } else if (NamesReplica(name) && report.replicas.size() < kReplicasMax) {
    if (auto replica = ParseReplica(value)) report.replicas.push_back(std::move(*replica));
  }
}

}  // namespace

InfoReport ParseInfo(std::string_view text) {
  InfoReport report;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) TakeField(line.substr(0, colon), line.substr(colon + 1), report);
  }
  return report;
}

}  // namespace cinnabar::sentinel
