// InfoReport: the text of INFO, section by section. Made for one call, with the world stopped, so that the
// figures of all cores belong together.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/figure_sources.h"

namespace cinnabar::server {

class InfoReport {
 public:
  // REQUIRES: the world is stopped.
  explicit InfoReport(const FigureSources& sources) : sources_(sources) {}

  // The named sections (lower case) in the order of the report, whatever the order of the names. Without
  // names, or with `default`: the usual ones. `all` and `everything` are all but `debug`; unknown names are
  // not an error.
  std::string Text(const std::vector<std::string>& names);

 private:
  enum class Shown : uint8_t { kByDefault, kOnRequest, kByItsNameOnly };
  enum class Of : uint8_t { kServer, kSentinel, kBoth };
  struct Section {
    std::string_view name;
    std::string_view title;
    Shown shown;
    void (InfoReport::*write)();
    Of of = Of::kServer;
  };
  static const Section kSections[];

  template <typename Value>
  void Field(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(out_), "{}:{}\r\n", name, value);
  }
  // With two decimals.
  void Ratio(std::string_view name, double value) { Field(name, fmt::format("{:.2f}", value)); }
  // As bytes, and as NAME_human with a unit.
  void Bytes(std::string_view name, uint64_t bytes);
  // Fields of parts that do not exist yet, or that never have another value here.
  void Zeros(std::initializer_list<std::string_view> names);

  void ServerSection();
  void ListenerFields();
  void ClientsSection();
  void MemorySection();
  void MemoryOfScripts();
  void StatisticsOfScripts();
  void StatisticsOfAccess();
  void PersistenceSection();
  void LoadingFigures();
  void LoadingProgress();
  void ChildFigures();
  void StatsSection();
  void StatsOfNetwork();
  void StatsOfDefragmentation();
  void StatsOfTurns();
  void ReplicationSection();
  void PrimaryFigures();
  void CpuSection();
  void ModulesSection() {}
  void CommandStatsSection();
  void ErrorStatsSection();
  void LatencyStatsSection();
  void ClusterSection();
  void KeyspaceSection();
  void DebugSection();
  void SentinelSection();

  bool sentinel() const { return sources_.services.sentinel != nullptr; }

  const FigureSources& sources_;
  std::string out_;
};

}  // namespace cinnabar::server
