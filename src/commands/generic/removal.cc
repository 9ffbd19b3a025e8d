#include "commands/generic/removal.h"

namespace cinnabar::commands {

using keyspace::Entry;

void FreeValue(dispatch::Call& call, std::unique_ptr<types::Value> value) {
  // What is freed faster than it is handed over is not worth a worker's time.
  constexpr size_t kSmallEffort = 64;
  if (value == nullptr || value->free_effort() <= kSmallEffort) return;
  call.services().control.Defer([owned = value.release()] { delete owned; });
}

void FreeEntry(dispatch::Call& call, Entry* entry, Freeing freeing) {
  if (freeing == Freeing::kAtOnce || !entry->slow_to_free()) return Entry::Destroy(entry);
  call.services().control.Defer([entry] { Entry::Destroy(entry); });
}

}  // namespace cinnabar::commands
