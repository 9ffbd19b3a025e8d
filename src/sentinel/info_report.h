// What a Sentinel reads in the INFO text of a server. Bytes from outside: lines that are not understood are
// passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cinnabar::sentinel {

struct InfoReport {
  struct ReplicaLine {
    std::string host;
    int port = 0;
  };

  std::string run_id;  // empty: not said
  std::optional<bool> is_primary;
  std::vector<ReplicaLine> replicas;
  std::optional<uint64_t> primary_offset;  // master_repl_offset
  // Of a replica:
  std::string followed_host;
  std::optional<int> followed_port;
  std::optional<bool> link_is_up;
  std::optional<int64_t> link_down_seconds;  // master_link_down_since_seconds; none: not said
  std::optional<int64_t> priority;
  std::optional<uint64_t> replication_offset;
  std::optional<bool> announced;
};

InfoReport ParseInfo(std::string_view text);

}  // namespace cinnabar::sentinel
