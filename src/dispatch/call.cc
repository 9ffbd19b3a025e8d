#include "dispatch/call.h"

#include "catalog/errors.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

Services& Call::services() const {
  return dispatcher_->services();
}

bool Call::in_transaction() const {
  return dispatcher_->running_transaction();
}

bool Call::AfterOthers() {
  return dispatcher_->AfterOthers(*session_);
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
  database.MarkChanged(key);
  if ((settings().observation.notify_keyspace_events & event_class) != 0 && services().notifier != nullptr) {
    services().notifier->OnKeyspaceEvent(event_class, event, database.index(), key.bytes);
  }
}

void Call::Notify(uint32_t event_class, std::string_view event, std::string_view key) {
  if ((settings().observation.notify_keyspace_events & event_class) != 0 && services().notifier != nullptr) {
    services().notifier->OnKeyspaceEvent(event_class, event, database_.index(), key);
  }
}

void Call::Propagate(std::span<const std::string_view> argv) {
  propagation_ = Propagation::kExplicit;
  if (services().journal.active()) dispatcher_->effects().Add(database_.index(), argv);
}

void Call::Suspend(std::unique_ptr<Continuation> continuation) {
  session_->continuation = std::move(continuation);
  session_->suspended = true;
}

void Call::YieldIfLong() {
  steps_ = 0;
  dispatcher_->YieldIfLong(*this);
}

void Call::Redact(size_t index) {
  if (index < 64) redacted_ |= uint64_t{1} << index;
}

void Call::ReplyWrongType() {
  reply().Error(errors::kWrongType);
}

}  // namespace cinnabar::dispatch
