#include "config/internal/param.h"

namespace cinnabar::config {

std::span<const Chapter> Chapters() {
  static const Chapter kChapters[] = {
      {"General", kGeneralParams},
      {"Network", kNetworkParams},
      {"TLS", kTlsParams},
      {"Clients", kClientParams},
      {"Security", kSecurityParams},
      {"Process", kProcessParams},
      {"Logging", kLoggingParams},
      {"Snapshots", kSnapshotParams},
      {"Append-only file", kAppendOnlyParams},
      {"Replication", kReplicationParams},
      {"Cluster", kClusterParams},
      {"Memory and eviction", kMemoryParams},
      {"Freeing in the background", kLazyFreeParams},
      {"Encodings of small collections", kEncodingParams},
      {"Active defragmentation", kDefragParams},
      {"Scripting", kScriptingParams},
      {"Observation", kObservationParams},
      {"For tests", kTestingParams},
  };
  return kChapters;
}

}  // namespace cinnabar::config
