#include "dispatch/call.h"

#include <algorithm>
#include <string>
#include <utility>

#include "catalog/errors.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {

Services& Call::services() const {
  return dispatcher_->services();
}

bool Call::in_transaction() const {
  return dispatcher_->context().run.in_transaction;
}

ScriptRun* Call::script() const {
  return dispatcher_->context().run.script;
}

bool Call::AfterOthers() {
  return dispatcher_->long_commands().AfterOthers(session());
}

keyspace::Key Call::FindKey(size_t index) {
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].index == index) {
      next_key_ = i + 1;
      return keys_[i].key;
    }
  }
  return core().keyspace.KeyOf(argv_[index]);
}

void Call::ChangedIn(keyspace::Database& database, uint32_t event_class, std::string_view event,
                     const keyspace::Key& key) {
  ++dirty_;
  database.MarkChanged(
      key, session_ != nullptr && session_->behalf != nullptr ? session_->behalf->id : caller_->id);
  if ((settings().observation.notify_keyspace_events & event_class) != 0) [[unlikely]]
    dispatcher_->context().NotifyEvent(event_class, event, database.index(), key.bytes);
}

void Call::Notify(uint32_t event_class, std::string_view event, std::string_view key) {
  dispatcher_->context().NotifyEvent(event_class, event, database_.index(), key);
}

void Call::PropagateToReplicas(std::span<const std::string_view> argv) {
  const Replication* replication = services().replication;
  if (replication == nullptr || !replication->keeps_stream()) return;
  dispatcher_->context().run.effects.AddForReplicas(caller_->database, argv);
}

void Call::Propagate(std::span<const std::string_view> argv) {
  propagation_ = Propagation::kExplicit;
  if (services().journal.active()) dispatcher_->context().run.effects.Add(database_.index(), argv);
}

void Call::Suspend(std::unique_ptr<Continuation> continuation) {
  session().continuation = std::move(continuation);
  session().suspended = true;
}

void Call::Block(std::unique_ptr<Waiting> waiting, std::span<const keyspace::Key> keys, Millis deadline) {
  auto blocked = std::make_shared<BlockedCall>(session().id);
  blocked->core = session().facts.core;
  blocked->caller.database = database_.index();
  blocked->caller.reply.set_version(reply().version());
  blocked->caller.reply.set_digits(dispatcher_->digits());
  if (Tracker* tracker = session().tracking; tracker != nullptr && command_->Is(Flag::kReadOnly))
    blocked->caller.tracking = tracker->notes_reads() ? tracker : nullptr;
  blocked->command = command_;
  blocked->argv.assign(argv_.begin(), argv_.end());
  for (const keyspace::Key& key : keys) {
    const bool known = std::any_of(blocked->keys.begin(), blocked->keys.end(),
                                   [&](const BlockedCall::AwaitedKey& k) { return k.name == key.bytes; });
    if (!known) blocked->keys.push_back({std::string(key.bytes), key.hash});
  }
  blocked->deadline = deadline;
  blocked->began = started;
  blocked->waiting = std::move(waiting);
  dispatcher_->blocked().Block(session(), std::move(blocked));
}

void Call::YieldIfLong() {
  steps_ = 0;
  dispatcher_->long_commands().YieldIfLong(*this);
}

void Call::Redact(size_t index) {
  if (index < 64) redacted_ |= uint64_t{1} << index;
}

void Call::ReplyWrongType() {
  reply().Error(errors::kWrongType);
}

}  // namespace cinnabar::dispatch
