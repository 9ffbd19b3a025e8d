// Database: one numbered database as one command sees it, on one core, with its shards held.
//
// It finds, makes and removes entries, hides and removes what has expired, keeps the access clocks, and marks
// watchers. It is a view: made for a command and thrown away, it costs nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/same_bytes.h"
#include "keyspace/access_clock.h"
#include "keyspace/keyspace.h"

namespace cinnabar::keyspace {

// Told by the keyspace about what happens in it. Called with the shard held.
class KeyspaceEvents {
 public:
  virtual ~KeyspaceEvents() = default;
  // By itself; the key is already gone.
  virtual void OnExpired(int database, std::string_view key) = 0;
  // A key was added, or looked for to read and not found. Told when CoreState asks for it.
  virtual void OnNew(int database, std::string_view key) = 0;
  virtual void OnMissed(int database, std::string_view key) = 0;
  // Fields of the hash at a key have expired; they are gone already, the key is still there.
  virtual void OnFieldsExpired(int database, std::string_view key, std::span<const std::string> fields) = 0;
  // The key went with its last field.
  virtual void OnLastFieldExpired(int database, std::string_view key) = 0;
  // A key changed for which somebody waits.
  virtual void OnAwaited(int database, const Key& key) = 0;
  // A key has changed, or is about to; by this session, or (0) by itself. Told when CoreState asks for it.
  virtual void OnChanged(const Key& key, uint64_t changer) = 0;
  // An entry that is in no table any more, and takes long to free: the listener's now, who frees it at any
  // time, on any thread. Told when CoreState asks for it.
  virtual void OnSlowToFree(Entry* gone) = 0;
};

// A key that a run has changed, which may still take that back.
struct HeldNews {
  int database;
  std::string key;
  uint64_t hash;
};

// What commands on one core share. Owned by the core; read by others only while the world is stopped.
struct CoreState {
  Keyspace& keyspace;
  KeyspaceEvents* events = nullptr;
  AccessPolicy access;
  Random random{1};
  Millis now = 0;
  uint32_t lru_clock = 0;  // LruClock(now)
  // Whether expired keys are removed when met. A reader that may not change the data set only hides them.
  bool may_expire = true;
  // Where it is noted which keys have changed, in place of telling those who watch them or wait for them.
  // Null: they are told at once.
  std::vector<HeldNews>* held_news = nullptr;
  bool tells_new = false;      // events->OnNew is wanted
  bool tells_missed = false;   // events->OnMissed is wanted
  bool tells_changed = false;  // events->OnChanged is wanted
  // Large values are given to events->OnSlowToFree instead of being freed at once.
  bool hands_over_expired = false;
  bool hands_over_replaced = false;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t expired = 0;
  uint64_t expired_fields = 0;

  // What has expired by this moment is gone: `now`, or 0 while a journal is replayed, which says itself what
  // expired.
  Millis expiry_clock = 0;
  bool replaying = false;

  // After so many steps a command looks whether it has taken long (dispatch/call.h: Yield).
  uint32_t steps_between_looks = 64;

  void SetNow(Millis millis) {
    now = millis;
    expiry_clock = replaying ? 0 : millis;
    lru_clock = LruClock(millis);
  }
};

// An entry that was found. Valid until the next change of the same table. False when there is none.
class EntryRef {
 public:
  EntryRef() = default;
  explicit EntryRef(TableSlot* slot) : slot_(slot) {}
  explicit operator bool() const { return slot_ != nullptr; }
  Entry* operator->() const { return slot_->entry<Entry>(); }
  Entry& operator*() const { return *slot_->entry<Entry>(); }
  Entry* get() const { return slot_ == nullptr ? nullptr : slot_->entry<Entry>(); }
  TableSlot* slot() const { return slot_; }
  // The entry moved in memory.
  void Moved(Entry* entry) { slot_->set_pointer(entry); }

 private:
  TableSlot* slot_ = nullptr;
};

// Whether a look-up counts as a use of the key, for eviction.
enum class Use : uint8_t { kCounts, kSilent };

class Database {
 public:
  Database(CoreState& core, int index) : core_(&core), index_(index) {}

  int index() const { return index_; }
  Millis now() const { return core_->now; }
  Keyspace& keyspace() const { return core_->keyspace; }
  CoreState& core() const { return *core_; }

  // The entry, unless it has expired. How it is found says what for:
  //   FindRead      to read it: counts as a use of the key, and for the hit statistics
  //   Peek          to look without a trace
  //   FindToChange  to change, replace or remove it. It counts as a use of the key where the change goes on
  //                 from what is there (Use::kCounts), and not where that is only thrown away. No entry is
  //                 changed that was found otherwise.
  //   FindToReadAndChange   both, for commands that answer with what they change (GETEX)
  EntryRef FindRead(const Key& key) {
    EntryRef entry = FindLive(key);
    if (entry) {
      ++core_->hits;
      Touch(*entry);
    } else {
      CountMiss(key);
    }
    return entry;
  }
  EntryRef FindToReadAndChange(const Key& key) { return FindRead(key); }
  EntryRef Peek(const Key& key) { return FindLive(key); }
  // For readers that do not count as uses of the key but as look-ups (EXISTS, TTL).
  void CountMiss(const Key& key) {
    ++core_->misses;
    if (core_->tells_missed) [[unlikely]]
      core_->events->OnMissed(index_, key.bytes);
  }
  EntryRef FindToChange(const Key& key, Use use = Use::kCounts) {
    EntryRef entry = FindLive(key);
    if (entry && use == Use::kCounts) Touch(*entry);
    return entry;
  }

  // REQUIRES: the key is not there (FindToChange has just said so). Takes the entry over.
  EntryRef Insert(const Key& key, Entry* entry);
  EntryRef Create(const Key& key, const Entry::Payload& payload, Millis expiry = kNever) {
    return Insert(key, NewEntry(key, payload, expiry));
  }
  void Replace(EntryRef& entry, const Entry::Payload& payload) {
    if (core_->hands_over_replaced && entry->slow_to_free()) [[unlikely]]
      core_->events->OnSlowToFree(Entry::TakeValue(*entry));
    entry.Moved(Entry::Replace(entry.get(), payload));
    Touch(*entry);
  }
  // Sets or (kNever) removes the expiry.
  void SetExpiry(const Key& key, EntryRef& entry, Millis expiry);

  // To be called when fields of the hash have been given times to expire.
  void NoteFieldExpiry(const Key& key, const Entry& entry);
  // Removes up to `limit` expired fields of a hash, and the key with the last one: the entry is empty then.
  // Gives the number of fields. REQUIRES: may_expire.
  size_t RemoveExpiredFields(const Key& key, EntryRef& entry, size_t limit);

  // Removes the entry and its value.
  void Erase(const Key& key, EntryRef entry) { Entry::Destroy(Take(key, entry)); }
  // Removes the entry without freeing it.
  Entry* Take(const Key& key, EntryRef entry);

  // Tells those who watch a key, wait for it or have cached it that it was changed (made and removed
  // included). `changer`: the session whose command did it; 0: nobody's.
  void MarkChanged(const Key& key, uint64_t changer = 0) {
    TellWaiting(key);
    if (core_->tells_changed) [[unlikely]]
      core_->events->OnChanged(key, changer);
  }
  // The same for those who watch it or wait for it alone.
  void TellWaiting(const Key& key) {
    ShardTable& shard = ShardTableOf(key);
    if (shard.watches != nullptr || shard.waits != nullptr) [[unlikely]]
      TellInterested(shard, key);
  }

  // As MarkChanged, for those who wait alone.
  void SignalAwaited(const Key& key) {
    if (ShardTableOf(key).waits != nullptr && core_->events != nullptr) core_->events->OnAwaited(index_, key);
  }

  ShardTable& ShardTableOf(const Key& key) const {
    core_->keyspace.CheckHeld(Keyspace::ShardOf(key.hash));
    return core_->keyspace.table(index_, core_->keyspace.TableOf(key.hash));
  }

 private:
  EntryRef FindLive(const Key& key) {
    ShardTable& shard = ShardTableOf(key);
    TableSlot* slot =
        shard.entries.Find(key.hash, [&](const Entry& e) { return SameBytes(e.key(), key.bytes); });
    if (slot == nullptr) return EntryRef();
    if (slot->marked() && slot->entry<Entry>()->expired(core_->expiry_clock)) [[unlikely]] {
      if (core_->may_expire) RemoveExpired(key, EntryRef(slot));
      return EntryRef();
    }
    return EntryRef(slot);
  }
  void Touch(Entry& entry) {
    if (core_->access.special) [[unlikely]] {
      if (!core_->access.quiet)
        entry.set_clock(UsedClock(entry.clock(), core_->now, core_->access, core_->random));
    } else {
      if (entry.clock() != core_->lru_clock) entry.set_clock(core_->lru_clock);
    }
  }
  Entry* NewEntry(const Key& key, const Entry::Payload& payload, Millis expiry) {
    Entry* entry = Entry::Create(key.bytes, payload, expiry);
    entry->set_clock(FreshClock(core_->now, core_->access));
    return entry;
  }
  void RemoveExpired(const Key& key, EntryRef entry);
  void TellInterested(ShardTable& shard, const Key& key);

  CoreState* core_;
  int index_;
};

}  // namespace cinnabar::keyspace
