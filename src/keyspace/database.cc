#include "keyspace/database.h"

#include <algorithm>

namespace cinnabar::keyspace {

EntryRef Database::Insert(const Key& key, Entry* entry) {
  ShardTable& shard = ShardTableOf(key);
  const Millis expiry = entry->expiry();
  Keyspace& keyspace = core_->keyspace;
  shard.entries.Insert(key.hash, entry, expiry != kNever,
                       [&keyspace](const Entry& e) { return keyspace.HashOfEntry(e); });
  if (expiry != kNever) keyspace.NoteExpiry(index_, Keyspace::ShardOf(key.hash), expiry);
  if (core_->tells_new) core_->events->OnNew(index_, key.bytes);
  return EntryRef(shard.entries.Find(key.hash, [&](const Entry& e) { return &e == entry; }));
}

void Database::SetExpiry(const Key& key, EntryRef& entry, Millis expiry) {
  if (expiry == kNever && !entry.slot()->marked()) return;
  ShardTable& shard = ShardTableOf(key);
  entry.Moved(Entry::SetExpiry(entry.get(), expiry));
  shard.entries.SetMark(entry.slot(), expiry != kNever);
  if (expiry != kNever) core_->keyspace.NoteExpiry(index_, Keyspace::ShardOf(key.hash), expiry);
}

Entry* Database::Take(const Key& key, EntryRef entry) {
  return ShardTableOf(key).entries.Erase(key.hash, entry.slot());
}

void Database::RemoveExpired(const Key& key, EntryRef entry) {
  MarkChanged(key);
  Entry* gone = Take(key, entry);
  ++core_->expired;
  if (core_->events != nullptr) core_->events->OnExpired(index_, gone->key());
  Entry::Destroy(gone);
}

void Database::TellInterested(ShardTable& shard, const Key& key) {
  if (shard.waits != nullptr && core_->events != nullptr && shard.waits->contains(std::string(key.bytes)))
    core_->events->OnAwaited(index_, key);
  if (shard.watches == nullptr) return;
  auto found = shard.watches->find(std::string(key.bytes));
  if (found == shard.watches->end()) return;
  for (Watcher* watcher : found->second) watcher->dirty.store(true, std::memory_order_relaxed);
}

}  // namespace cinnabar::keyspace
