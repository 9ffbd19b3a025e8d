// KeyspaceListener: what follows when the keyspace does something by itself: effects for the journal, and
// keyspace events.
//
// One per core, called on its thread with the key's shard held.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "dispatch/blocked_calls.h"
#include "dispatch/core_context.h"
#include "keyspace/database.h"

namespace cinnabar::dispatch {

class KeyspaceListener final : public keyspace::KeyspaceEvents {
 public:
  // Both must outlive it.
  KeyspaceListener(CoreContext& context, BlockedCalls& blocked) : context_(context), blocked_(blocked) {}

  void OnExpired(int database, std::string_view key) override;
  void OnNew(int database, std::string_view key) override;
  void OnMissed(int database, std::string_view key) override;
  void OnFieldsExpired(int database, std::string_view key, std::span<const std::string> fields) override;
  void OnLastFieldExpired(int database, std::string_view key) override;
  void OnAwaited(int database, const keyspace::Key& key) override { blocked_.OnAwaited(database, key); }
  void OnChanged(const keyspace::Key& key, uint64_t changer) override;
  void OnSlowToFree(keyspace::Entry* gone) override;

 private:
  void AddEffect(int database, std::span<const std::string_view> argv);
  void Notify(uint32_t event_class, std::string_view event, int database, std::string_view key);

  CoreContext& context_;
  BlockedCalls& blocked_;
};

}  // namespace cinnabar::dispatch
