// Preparer: what can be done for a request before its turn comes: its command is looked up, its keys are
// found and hashed, and the memory that it will touch is fetched.
//
// One per core, used by that core's thread only.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/batch.h"
#include "dispatch/keys.h"
#include "dispatch/registry.h"
#include "dispatch/session.h"
#include "keyspace/keyspace.h"

namespace cinnabar::dispatch {

class Preparer {
 public:
  // Both must outlive it.
  Preparer(const Registry& registry, keyspace::Keyspace& keyspace)
      : registry_(registry), keyspace_(keyspace), by_slot_(keyspace.layout() == keyspace::Layout::kBySlot) {}

  // Looks up the command of a request whose arguments were just appended to the batch, finds its keys, and
  // starts fetching their buckets.
  void Prepare(Batch& batch, Session& session, uint32_t first_argument, const char* text = nullptr);
  // The command that these arguments call; null if there is none.
  const Command* Lookup(std::span<const std::string_view> argv);
  // Once buckets have arrived: starts fetching the entries of the batch's keys.
  void PrefetchEntries(const Batch& batch, const Session& session, size_t first_request, size_t end_request);

 private:
  const Command* Find(std::span<const std::string_view> argv);
  template <typename Visit>
  void ForEachTable(std::span<const PlacedKey> keys, const Session& session, Visit&& visit);
  void AddKey(Batch& batch, const Session& session, KeyPosition position, std::string_view bytes);

  const Registry& registry_;
  keyspace::Keyspace& keyspace_;
  const bool by_slot_;  // the keyspace has a table for each hash slot
  std::vector<KeyPosition> positions_;
  // The commands that were looked up last, by the exact bytes of their names.
  struct NamedCommand {
    size_t size = 0;
    char name[16] = {};
    const Command* command = nullptr;
  };
  static constexpr size_t kNamedCommands = 16;
  std::array<NamedCommand, kNamedCommands> recent_{};
};

}  // namespace cinnabar::dispatch
