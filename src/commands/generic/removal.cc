#include "commands/generic/removal.h"

namespace cinnabar::commands {
void FreeEntry(dispatch::Call& call, keyspace::Entry* entry, Freeing freeing) {
  if (freeing == Freeing::kAtOnce || !entry->slow_to_free()) return keyspace::Entry::Destroy(entry);
  call.services().control.Defer([entry] { keyspace::Entry::Destroy(entry); });
}

}  // namespace cinnabar::commands
