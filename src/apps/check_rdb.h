// redis-check-rdb: whether a snapshot file can be loaded, and if not, where and why.
//
// Lines and exit codes of Redis 7.0, then, of a file that is fine, how many keys and bytes of each type it
// holds. What this server cannot load, though Redis can, is a fault as well: functions, a key that is there
// twice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cinnabar::apps {

// What a snapshot holds.
struct SnapshotFigures {
  struct Share {
    uint64_t keys = 0;
    uint64_t bytes = 0;  // in the file, with key and expiry
  };
  static constexpr size_t kTypes = 6;
  std::array<Share, kTypes> by_type;  // indexed by types::Type
  uint64_t mended = 0;                // values that loading puts right

  void Print() const;
};

// Keys of a snapshot that have expired are not loaded; those of the base of an append-only file are.
enum class ExpiredKeys : uint8_t { kPassedOver, kLoaded };

// Checks the snapshot at the beginning of `bytes`, and prints what is found under the name. Returns its size,
// or nothing when it cannot be loaded.
std::optional<size_t> CheckSnapshot(std::string_view bytes, std::string_view name, ExpiredKeys expired,
                                    SnapshotFigures& figures);

// Returns the exit code: 0 when the file is fine.
int RunCheckRdb(std::span<const std::string> arguments);

}  // namespace cinnabar::apps
