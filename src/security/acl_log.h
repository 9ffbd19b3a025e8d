// ACL LOG: who was denied what. The newest entry stands first.
//
// A denial that equals one of the last ten entries, at most a minute old, is counted there and takes that
// entry to the front: a client that tries again and again fills no log.
//
// Threads: any core at any time; a leaf mutex guards the entries. Only denials come here.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cinnabar::security {

enum class DenialReason : uint8_t { kCommand, kKey, kChannel, kAuth };
enum class DenialContext : uint8_t { kTopLevel, kMulti, kLua, kModule };
// As ACL LOG shows them.
std::string_view Name(DenialReason reason);
std::string_view Name(DenialContext context);

struct Denial {
  DenialReason reason = DenialReason::kCommand;
  DenialContext context = DenialContext::kTopLevel;
  std::string object;    // the full name of the command, the key, the channel; the word AUTH or HELLO as sent
  std::string username;  // the session's; for kAuth the name that was given
  std::string client_info;  // as CLIENT LIST shows the client
};

struct DenialEntry {
  Denial denial;  // client_info is that of the last time
  uint64_t count = 1;
  uint64_t id = 0;      // 0, 1, 2 ... since the server was started
  Millis created = 0;   // wall time
  Millis repeated = 0;  // wall time of the last one

  // What ACL LOG shows as age-seconds.
  double AgeSeconds(Millis now) const { return static_cast<double>(now - repeated) / kMillisPerSecond; }
};

class AclLog {
 public:
  static constexpr Millis kSameSpan = 60 * kMillisPerSecond;
  static constexpr size_t kLooksBack = 10;

  // `now` is wall time. Then drops what is more than `entries_max` (acllog-max-len).
  void Add(Denial denial, Millis now, size_t entries_max);
  void Reset();
  // The newest ones.
  std::vector<DenialEntry> Latest(size_t count) const;
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::deque<DenialEntry> entries_;
  uint64_t next_id_ = 0;
};

}  // namespace cinnabar::security
