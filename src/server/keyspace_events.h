// KeyspaceEvents: publishes what happens to keys, as far as `notify-keyspace-events` asks for it.
#pragma once

#include "config/settings.h"
#include "dispatch/services.h"
#include "pubsub/channels.h"

namespace cinnabar::server {

class KeyspaceEvents final : public dispatch::KeyspaceNotifier {
 public:
  KeyspaceEvents(const config::Settings& settings, pubsub::Channels& channels)
      : settings_(settings), channels_(channels) {}

  void OnKeyspaceEvent(uint32_t event_class, std::string_view event, int database,
                       std::string_view key) override;

 private:
  const config::Settings& settings_;
  pubsub::Channels& channels_;
};

}  // namespace cinnabar::server
