#include "server/info.h"

#include <algorithm>
#include <iterator>

namespace cinnabar::server {

const InfoReport::Section InfoReport::kSections[] = {
    {"server", "Server", Shown::kByDefault, &InfoReport::ServerSection, Of::kBoth},
    {"clients", "Clients", Shown::kByDefault, &InfoReport::ClientsSection, Of::kBoth},
    {"memory", "Memory", Shown::kByDefault, &InfoReport::MemorySection},
    {"persistence", "Persistence", Shown::kByDefault, &InfoReport::PersistenceSection},
    {"stats", "Stats", Shown::kByDefault, &InfoReport::StatsSection, Of::kBoth},
    {"replication", "Replication", Shown::kByDefault, &InfoReport::ReplicationSection},
    {"cpu", "CPU", Shown::kByDefault, &InfoReport::CpuSection, Of::kBoth},
    {"modules", "Modules", Shown::kByDefault, &InfoReport::ModulesSection},
    {"commandstats", "Commandstats", Shown::kOnRequest, &InfoReport::CommandStatsSection},
    {"errorstats", "Errorstats", Shown::kByDefault, &InfoReport::ErrorStatsSection},
    {"latencystats", "Latencystats", Shown::kOnRequest, &InfoReport::LatencyStatsSection},
    {"cluster", "Cluster", Shown::kByDefault, &InfoReport::ClusterSection},
    {"keyspace", "Keyspace", Shown::kByDefault, &InfoReport::KeyspaceSection},
    {"debug", "Debug", Shown::kByItsNameOnly, &InfoReport::DebugSection},
    {"sentinel", "Sentinel", Shown::kByDefault, &InfoReport::SentinelSection, Of::kSentinel},
};

std::string InfoReport::Text(const std::vector<std::string>& names) {
  const auto named = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const bool all = named("all") || named("everything");
  const bool usual = names.empty() || named("default");
  const Of other = sentinel() ? Of::kServer : Of::kSentinel;
  for (const Section& section : kSections) {
    if (section.of == other) continue;
    const bool wanted = (all && section.shown != Shown::kByItsNameOnly) ||
                        (usual && section.shown == Shown::kByDefault) || named(section.name);
    if (!wanted) continue;
    if (!out_.empty()) out_ += "\r\n";
    fmt::format_to(std::back_inserter(out_), "# {}\r\n", section.title);
    (this->*section.write)();
  }
  return std::move(out_);
}

void InfoReport::Bytes(std::string_view name, uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGTP";
  Field(name, bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  Field(fmt::format("{}_human", name),
        unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.2f}{}", value, kUnits[unit]));
}

void InfoReport::Zeros(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) Field(name, 0);
}

}  // namespace cinnabar::server
