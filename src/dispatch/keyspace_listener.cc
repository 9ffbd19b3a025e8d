#include "dispatch/keyspace_listener.h"

#include <vector>

#include "config/settings.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {

void KeyspaceListener::Notify(uint32_t event_class, std::string_view event, int database,
                              std::string_view key) {
  Services& services = context_.services;
  if ((services.settings.observation.notify_keyspace_events & event_class) != 0 &&
      services.notifier != nullptr)
    services.notifier->OnKeyspaceEvent(event_class, event, database, key);
}

void KeyspaceListener::OnExpired(int database, std::string_view key) {
  const bool lazy = context_.services.settings.memory.lazyfree_lazy_expire;
  if (context_.services.journal.active()) context_.run.effects.Add(database, {lazy ? "UNLINK" : "DEL", key});
  Notify(config::kNotifyExpired, "expired", database, key);
}

void KeyspaceListener::OnSlowToFree(keyspace::Entry* gone) {
  context_.services.control.Defer([gone] { keyspace::Entry::Destroy(gone); });
}

void KeyspaceListener::OnChanged(const keyspace::Key& key, uint64_t changer) {
  context_.services.tracking->OnChanged(context_, key, changer);
}

void KeyspaceListener::OnNew(int database, std::string_view key) {
  Notify(config::kNotifyNew, "new", database, key);
}

void KeyspaceListener::OnMissed(int database, std::string_view key) {
  Notify(config::kNotifyMiss, "keymiss", database, key);
}

void KeyspaceListener::OnFieldsExpired(int database, std::string_view key,
                                       std::span<const std::string> fields) {
  if (context_.services.journal.active()) {
    std::vector<std::string_view> argv = {"HDEL", key};
    argv.insert(argv.end(), fields.begin(), fields.end());
    context_.run.effects.Add(database, argv);
  }
  Notify(config::kNotifyHash, "hexpired", database, key);
}

// Replicas see the last field go, and with it the key.
void KeyspaceListener::OnLastFieldExpired(int database, std::string_view key) {
  Notify(config::kNotifyGeneric, "del", database, key);
}

}  // namespace cinnabar::dispatch
