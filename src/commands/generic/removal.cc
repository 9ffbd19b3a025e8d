#include "commands/generic/removal.h"

namespace cinnabar::commands {

void FreeEntry(dispatch::Call& call, keyspace::Entry* entry, Freeing freeing) {
  if (freeing == Freeing::kAtOnce || !entry->slow_to_free()) return keyspace::Entry::Destroy(entry);
  call.services().control.Defer([entry] { keyspace::Entry::Destroy(entry); });
}

void FreeValue(dispatch::Call& call, std::unique_ptr<types::Value> value) {
  constexpr size_t kSmallEffort = 64;
  if (value == nullptr || value->free_effort() <= kSmallEffort) return;
  call.services().control.Defer([owned = value.release()] { delete owned; });
}

}  // namespace cinnabar::commands
