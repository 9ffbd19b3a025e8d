#include "dispatch/preparer.h"

#include <cstring>

#include "base/same_bytes.h"

namespace cinnabar::dispatch {

// The registry's answer, remembered for the names that come again and again.
[[gnu::always_inline]] inline const Command* Preparer::Find(std::span<const std::string_view> argv) {
  const std::string_view name = argv[0];
  if (name.size() > sizeof(NamedCommand::name) || name.empty()) return registry_.Resolve(argv);
  NamedCommand& recent =
      recent_[(static_cast<size_t>(name[0]) * 5 + name.size() + static_cast<size_t>(name.back())) %
              kNamedCommands];
  if (recent.size == name.size() && SameBytes(recent.name, name.data(), name.size())) [[likely]]
    return recent.command;
  const Command* command = registry_.Resolve(argv);
  if (command != nullptr && command->parent == nullptr && command->subcommands.empty()) {
    recent.size = name.size();
    std::memcpy(recent.name, name.data(), name.size());
    recent.command = command;
  }
  return command;
}

const Command* Preparer::Lookup(std::span<const std::string_view> argv) {
  return Find(argv);
}

[[gnu::always_inline]] inline void Preparer::AddKey(Batch& batch, const Session& session,
                                                    KeyPosition position, std::string_view bytes) {
  const keyspace::Key key = keyspace_.KeyOf(bytes);
  batch.keys.push_back({position.index, position.use, key});
  // Of many small tables none is near: PrefetchEntries goes on when it has come.
  if (by_slot_) return Prefetch(&keyspace_.table(session.database, keyspace_.TableOf(key.hash)));
  const size_t shard = keyspace::Keyspace::ShardOf(key.hash);
  // Other cores may be changing the table: only its holder can tell where a bucket is.
  if (!keyspace_.TryLock(shard)) return;
  keyspace_.table(session.database, keyspace_.TableOf(key.hash)).entries.PrefetchBucket(key.hash);
  keyspace_.Unlock(shard);
}

void Preparer::Prepare(Batch& batch, Session& session, uint32_t first_argument, const char* text) {
  const auto argument_count = static_cast<uint32_t>(batch.arguments.size()) - first_argument;
  const std::span<const std::string_view> argv(batch.arguments.data() + first_argument, argument_count);
  const auto first_key = static_cast<uint32_t>(batch.keys.size());
  const Command* command = Find(argv);
  if (command != nullptr) {
    if (command->only_key != 0) [[likely]] {
      const auto index = static_cast<uint32_t>(command->only_key);
      if (index < argument_count) AddKey(batch, session, {index, command->only_key_use}, argv[index]);
    } else if (command->key_specs != 0 && command->AcceptsArgumentCount(argument_count)) {
      positions_.clear();
      FindKeys(*command, argv, positions_);
      for (const KeyPosition& position : positions_) {
        if ((position.use & KeyUse::kNotKey) == 0) AddKey(batch, session, position, argv[position.index]);
      }
    }
  }
  batch.requests.push_back({.command = command,
                            .first_argument = first_argument,
                            .argument_count = argument_count,
                            .first_key = first_key,
                            .key_count = static_cast<uint32_t>(batch.keys.size()) - first_key,
                            .text = text});
}

// Without the tables whose shards others hold just now.
template <typename Visit>
[[gnu::always_inline]] inline void Preparer::ForEachTable(std::span<const PlacedKey> keys,
                                                          const Session& session, Visit&& visit) {
  for (const PlacedKey& placed : keys) {
    const uint64_t hash = placed.key.hash;
    const size_t shard = keyspace::Keyspace::ShardOf(hash);
    if (!keyspace_.TryLock(shard)) continue;
    visit(keyspace_.table(session.database, keyspace_.TableOf(hash)).entries, hash);
    keyspace_.Unlock(shard);
  }
}

void Preparer::PrefetchEntries(const Batch& batch, const Session& session, size_t first_request,
                               size_t end_request) {
  if (first_request == end_request) return;
  const size_t begin = batch.requests[first_request].first_key;
  const size_t end = batch.requests[end_request - 1].first_key + batch.requests[end_request - 1].key_count;
  const std::span<const PlacedKey> keys(batch.keys.data() + begin, end - begin);
  if (by_slot_) {
    ForEachTable(keys, session, [](const auto& entries, uint64_t) { entries.PrefetchDirectory(); });
    ForEachTable(keys, session, [](const auto& entries, uint64_t hash) { entries.PrefetchBucket(hash); });
  }
  ForEachTable(keys, session, [](const auto& entries, uint64_t hash) { entries.PrefetchEntry(hash); });
}

}  // namespace cinnabar::dispatch
