#include "server/keyspace_events.h"

#include <fmt/format.h>

namespace cinnabar::server {

void KeyspaceEvents::OnKeyspaceEvent(uint32_t event_class, std::string_view event, int database,
                                     std::string_view key) {
  const uint32_t wanted = settings_.observation.notify_keyspace_events;
  if ((wanted & event_class) == 0 || !channels_.anybody()) return;
  if ((wanted & config::kNotifyKeyspace) != 0) {
    channels_.Publish(pubsub::Kind::kChannel, fmt::format("__keyspace@{}__:{}", database, key), event);
  }
  if ((wanted & config::kNotifyKeyevent) != 0) {
    channels_.Publish(pubsub::Kind::kChannel, fmt::format("__keyevent@{}__:{}", database, event), key);
  }
}

}  // namespace cinnabar::server
