// The keys of simulated clusters name their slot ("1234:7-12"), so that nothing has to be hashed to find it.
#pragma once

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "base/numbers.h"
#include "cluster/slots.h"

namespace cinnabar::simulator {

inline std::string KeyInSlot(int slot, std::string_view rest) {
  return Int64ToString(slot) + ":" + std::string(rest);
}

inline int SlotOfKey(std::string_view key) {
  int slot = 0;
  std::from_chars(key.data(), key.data() + key.size(), slot);
  return slot;
}

// Clients write to these slots only.
inline constexpr int kBusySlots = 48;
inline constexpr int BusySlot(int number) {
  return number * (cluster::kSlots / kBusySlots);
}
// Of these, every sixth may be moved while everything goes wrong. Nothing is promised for its writes: a
// primary that fails takes along which slots it is about to give away.
inline constexpr bool IsRestless(int slot) {
  return slot % (6 * (cluster::kSlots / kBusySlots)) == 0;
}

}  // namespace cinnabar::simulator
