// Small states that every core reads between commands, each with one owner who changes it.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace cinnabar::dispatch {

// CLIENT PAUSE. Changed with the world stopped; read by every core between commands.
enum class PauseMode : uint8_t { kNone, kWrites, kAll };
struct PauseState {
  PauseMode mode = PauseMode::kNone;
  Millis until = 0;
};

// Switches that DEBUG turns, for tests of clients and of the server. Changed with the world stopped.
struct DebugSwitches {
  bool active_expire = true;
  bool pause_cron = false;
  bool reply_buffer_resizing = true;
  // How long a reply buffer's peak is remembered; < 0: for ever.
  Millis reply_buffer_peak_reset = 5000;
  bool deny_scripts_disabled = false;
  // From how many bytes on an element of a large list stands alone; 0: when it does not fit a node.
  size_t list_plain_from = 0;
  bool check_payload_checksums = true;  // of RESTORE
};

// What stops the usual way of commands. Bits; set and cleared with the world stopped, read by every core.
namespace Alarm {
enum : uint32_t {
  kLoading = 1,      // the data set is not complete yet
  kDiskTrouble = 2,  // DataFiles::WriteRefusal may have something to say
  kHoldReplies = 4,  // replies wait until what they tell is on disk (DESIGN §6)
  kFollows = 8,      // a replica: only its primary writes, unless replica-read-only is off
  kLoadsApart = 32,  // another data set is being loaded, which will take the place of this one
  kBusy = 64,        // a script that has stopped the world takes long (ScriptRun)
  kStale = 16,       // a replica whose data may be old, and replica-serve-stale-data is off
};
}  // namespace Alarm

// How far the journal is safe. Raised by the files' threads as writes and syncs end; read by every core.
struct Durability {
  std::atomic<uint64_t> released{0};      // with Alarm::kHoldReplies: replies up to here may leave
  std::atomic<uint64_t> copy_waiters{0};  // blocked clients that want to know when more of it is safe
};

// What eviction on all cores shares.
struct MemoryPressure {
  std::atomic<uint64_t> evictions_pending{0};  // 1: an evicted value is still to be freed
  std::atomic<Millis> exceeded_since{0};       // used memory is over maxmemory since then; 0: it is not
  // Of invalidations that are on their way to clients. They are the price of evicting, and would ask for more
  // of it if they counted.
  std::atomic<uint64_t> invalidation_bytes{0};
};

}  // namespace cinnabar::dispatch
