#include "dispatch/core_context.h"

#include <string>

#include "config/settings.h"
#include "dispatch/script_run.h"

namespace cinnabar::dispatch {
namespace {

constexpr Nanos kTimeStep = 100 * kNanosPerMicro;
// Effects larger than this do not leave their buffer behind.
constexpr size_t kEffectsKeptBytes = 256 * 1024;

}  // namespace

CoreContext::CoreContext(Dispatcher& dispatcher, Services& services, int index, uint64_t random_seed)
    : dispatcher(dispatcher),
      services(services),
      index(index),
      core{.keyspace = services.keyspace, .random = Random(random_seed)} {
  time_step = clock.ToTicks(kTimeStep);
}

void CoreContext::FlushEffects() {
  if (core.replaying || follows) [[unlikely]] {
    if (!core.replaying) services.journal.AppendLocal(run.effects);
  } else {
    run.appended = services.journal.Append(run.effects);
  }
  if (run.effects.held_bytes() <= kEffectsKeptBytes) return run.effects.Clear();
  journal::Effects fresh;
  std::swap(run.effects, fresh);  // an assignment would keep the buffer
}

void CoreContext::NotifyEvent(uint32_t event_class, std::string_view event, int database,
                              std::string_view key) {
  KeyspaceNotifier* const notifier = services.notifier;
  if ((services.settings.observation.notify_keyspace_events & event_class) == 0 || notifier == nullptr)
    return;
  if (run.script != nullptr && run.script->undoable()) [[unlikely]] {
    run.script->AtEnd([=, event = std::string(event), key = std::string(key)] {
      notifier->OnKeyspaceEvent(event_class, event, database, key);
    });
    return;
  }
  notifier->OnKeyspaceEvent(event_class, event, database, key);
}

void CoreContext::NoteHold(Caller& caller, std::span<const uint32_t> shards) {
  const uint64_t appended = std::exchange(run.appended, 0);
  for (uint32_t shard : shards) {
    const uint64_t offset = std::max(appended, core.keyspace.journal_offset(shard));
    core.keyspace.set_journal_offset(shard, offset);
    caller.hold_until = std::max(caller.hold_until, offset);
  }
  caller.hold_until = std::max(caller.hold_until, appended);
}

void CoreContext::NoteHoldEverywhere(Caller& caller) {
  const uint64_t offset = services.journal.offset();
  if (run.appended != 0) {
    for (size_t shard = 0; shard < keyspace::Keyspace::kShards; ++shard) {
      core.keyspace.set_journal_offset(shard, offset);
    }
  }
  caller.hold_until = std::max(caller.hold_until, offset);
}

void CoreContext::NoteShards(std::span<const uint32_t> shards) {
  const uint64_t appended = std::exchange(run.appended, 0);
  if (appended == 0 || !holds_replies()) return;
  for (uint32_t shard : shards) {
    core.keyspace.set_journal_offset(shard, std::max(appended, core.keyspace.journal_offset(shard)));
  }
}

}  // namespace cinnabar::dispatch
