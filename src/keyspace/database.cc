#include "keyspace/database.h"

#include <algorithm>

#include "types/large_hash.h"

namespace cinnabar::keyspace {
namespace {

// Null when the entry is none, or has a form in which no field expires.
types::LargeHash* LargeHashOf(const Entry& entry) {
  if (entry.type() != types::Type::kHash || entry.place() != Place::kObject) [[likely]]
    return nullptr;
  return static_cast<types::LargeHash*>(entry.object());
}

}  // namespace

EntryRef Database::Insert(const Key& key, Entry* entry) {
  ShardTable& shard = ShardTableOf(key);
  const Millis expiry = entry->expiry();
  Keyspace& keyspace = core_->keyspace;
  shard.entries.Insert(key.hash, entry, expiry != kNever,
                       [&keyspace](const Entry& e) { return keyspace.HashOfEntry(e); });
  if (expiry != kNever) keyspace.NoteExpiry(index_, Keyspace::ShardOf(key.hash), expiry);
  if (core_->tells_new) core_->events->OnNew(index_, key.bytes);
  if (entry->type() == types::Type::kHash) [[unlikely]]
    NoteFieldExpiry(key, *entry);
  return EntryRef(shard.entries.Find(key.hash, [&](const Entry& e) { return &e == entry; }));
}

void Database::SetExpiry(const Key& key, EntryRef& entry, Millis expiry) {
  if (expiry == kNever && !entry.slot()->marked()) return;
  ShardTable& shard = ShardTableOf(key);
  entry.Moved(Entry::SetExpiry(entry.get(), expiry));
  shard.entries.SetMark(entry.slot(), expiry != kNever);
  if (expiry != kNever) core_->keyspace.NoteExpiry(index_, Keyspace::ShardOf(key.hash), expiry);
}

void Database::NoteFieldExpiry(const Key& key, const Entry& entry) {
  const types::LargeHash* hash = LargeHashOf(entry);
  if (hash != nullptr && hash->next_expiry() != kNever) {
    core_->keyspace.NoteFieldExpiry(index_, key, hash->next_expiry());
  }
}

size_t Database::RemoveExpiredFields(const Key& key, EntryRef& entry, size_t limit) {
  types::LargeHash* hash = LargeHashOf(*entry);
  if (hash == nullptr || hash->next_expiry() > core_->expiry_clock) return 0;
  const std::vector<std::string> fields = hash->TakeExpired(core_->expiry_clock, limit);
  if (fields.empty()) return 0;
  core_->expired_fields += fields.size();
  MarkChanged(key);
  if (core_->events != nullptr) core_->events->OnFieldsExpired(index_, key.bytes, fields);
  if (hash->size() == 0) {
    Erase(key, entry);
    entry = EntryRef();
    if (core_->events != nullptr) core_->events->OnLastFieldExpired(index_, key.bytes);
  }
  return fields.size();
}

Entry* Database::Take(const Key& key, EntryRef entry) {
  return ShardTableOf(key).entries.Erase(key.hash, entry.slot());
}

void Database::RemoveExpired(const Key& key, EntryRef entry) {
  MarkChanged(key);
  Entry* gone = Take(key, entry);
  ++core_->expired;
  if (core_->events != nullptr) core_->events->OnExpired(index_, gone->key());
  if (core_->hands_over_expired && gone->slow_to_free()) return core_->events->OnSlowToFree(gone);
  Entry::Destroy(gone);
}

void Database::TellInterested(ShardTable& shard, const Key& key) {
  if (core_->held_news != nullptr) {
    core_->held_news->push_back({index_, std::string(key.bytes), key.hash});
    return;
  }
  if (shard.waits != nullptr && core_->events != nullptr && shard.waits->contains(std::string(key.bytes)))
    core_->events->OnAwaited(index_, key);
  if (shard.watches == nullptr) return;
  auto found = shard.watches->find(std::string(key.bytes));
  if (found == shard.watches->end()) return;
  for (Watcher* watcher : found->second) watcher->dirty.store(true, std::memory_order_relaxed);
}

}  // namespace cinnabar::keyspace
