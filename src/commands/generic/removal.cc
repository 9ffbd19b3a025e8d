#include "commands/generic/removal.h"

namespace cinnabar::commands {
namespace {

using keyspace::Entry;

// What is freed faster than it is handed over is not worth a worker's time.
constexpr size_t kSmallEffort = 64;
constexpr size_t kSmallBytes = 64 * 1024;

bool Large(const Entry& entry) {
  switch (entry.place()) {
    case keyspace::Place::kObject:
      return entry.object()->free_effort() > kSmallEffort;
    case keyspace::Place::kShared:
      return entry.block()->size > kSmallBytes;
    default:
      return false;
  }
}

}  // namespace

void FreeValue(dispatch::Call& call, std::unique_ptr<types::Value> value) {
  if (value == nullptr || value->free_effort() <= kSmallEffort) return;
  call.services().control.Defer([owned = value.release()] { delete owned; });
}

void FreeEntry(dispatch::Call& call, Entry* entry, Freeing freeing) {
  if (freeing == Freeing::kAtOnce || !Large(*entry)) return Entry::Destroy(entry);
  call.services().control.Defer([entry] { Entry::Destroy(entry); });
}

}  // namespace cinnabar::commands
