#include "dispatch/keyspace_listener.h"

#include <vector>

#include "config/settings.h"
#include "dispatch/script_run.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {

void KeyspaceListener::Notify(uint32_t event_class, std::string_view event, int database,
                              std::string_view key) {
  context_.NotifyEvent(event_class, event, database, key);
}

void KeyspaceListener::AddEffect(int database, std::span<const std::string_view> argv) {
  if (context_.services.journal.active()) context_.run.effects.Add(database, argv);
  if (context_.run.script != nullptr) [[unlikely]]
    context_.run.script->KeepEffect(database, argv);
}

void KeyspaceListener::OnExpired(int database, std::string_view key) {
  const bool lazy = context_.services.settings.memory.lazyfree_lazy_expire;
  AddEffect(database, std::vector<std::string_view>{lazy ? "UNLINK" : "DEL", key});
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
  std::vector<std::string_view> argv = {"HDEL", key};
  argv.insert(argv.end(), fields.begin(), fields.end());
  AddEffect(database, argv);
  Notify(config::kNotifyHash, "hexpired", database, key);
}

// Replicas see the last field go, and with it the key.
void KeyspaceListener::OnLastFieldExpired(int database, std::string_view key) {
  Notify(config::kNotifyGeneric, "del", database, key);
}

}  // namespace cinnabar::dispatch
