// The ports through which others see what commands do: tests of the serial order, and keyspace events.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cinnabar::dispatch {

struct Caller;

// Sees every executed command in the serial order of the shards it held. For tests that prove that order.
class HistoryObserver {
 public:
  virtual ~HistoryObserver() = default;
  enum class Ran : uint8_t {
    kAtOnce,
    // It blocks, and has no reply yet. It has its place in the order, too, since it may have left something
    // behind (a consumer), and another one when it is served.
    kWaits,
    kServed,
  };
  // Called while the command's shards are held.
  virtual void OnCommand(const Caller& caller, std::span<const std::string_view> argv, std::string_view reply,
                         Ran ran) = 0;
};

// Receives keyspace notifications; called while the key's shard is held.
class KeyspaceNotifier {
 public:
  virtual ~KeyspaceNotifier() = default;
  virtual void OnKeyspaceEvent(uint32_t event_class, std::string_view event, int database,
                               std::string_view key) = 0;
};

}  // namespace cinnabar::dispatch
