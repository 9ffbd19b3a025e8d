#include "dispatch/tracking.h"

#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "protocol/encode_command.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Key;
using keyspace::Keyspace;
using Recipient = Invalidation::Recipient;
using What = Invalidation::What;

// A new note that is too much makes room for itself and for another one, so that what a lower limit has left
// goes in time.
constexpr size_t kForgottenForOne = 2;
// Forgotten at once by Cron.
constexpr size_t kForgottenByCron = 1000;
// Notes that are freed while everybody waits.
constexpr uint64_t kFewKeys = 1000;

// Nodes of the tree and of two sets, and the place in a vector.
size_t MemoryOf(std::string_view prefix) {
  return 2 * prefix.size() + 256;
}

SharedBytes Encode(std::span<const std::string_view> keys) {
  std::string text;
  protocol::EncodeCommand(keys, text);
  return SharedBytes::Copy(text);
}

bool IsClientCommand(const Command* command) {
  if (command == nullptr) return false;
  return (command->parent != nullptr ? command->parent : command)->name == "client";
}

}  // namespace

Tracking::Tracking(Services& services, int cores, InvalidationDelivery& delivery)
    : services_(services), delivery_(delivery), collected_(static_cast<size_t>(cores)) {}

Tracking::~Tracking() = default;

// ---- who tracks ----

// What the cores have to do for tracking costs nothing while nobody asks for it.
void Tracking::SetActive(bool active) {
  if (active == (shards_ != nullptr)) return;
  if (active) {
    shards_ = std::make_unique<Shard[]>(Keyspace::kShards);
  } else {
    DropNotes();
    shards_.reset();
  }
  for (Dispatcher* dispatcher : services_.dispatchers) dispatcher->core().tells_changed = active;
}

void Tracking::Enable(Session& session, const TrackingOptions& options,
                      std::span<const std::string_view> prefixes) {
  SendAllCollected(session.facts.core);
  SetActive(true);
  if (session.tracking == nullptr) {
    if (const auto old = trackers_.find(session.id); old != trackers_.end()) Remove(old);
    auto tracker = std::make_unique<Tracker>(session.id, session.facts.core);
    session.tracking = tracker.get();
    trackers_.emplace(session.id, std::move(tracker));
  }
  Tracker& tracker = *session.tracking;
  tracker.options = options;
  tracker.redirect_broken = false;
  if (!options.broadcasts) return;
  if (prefixes.empty()) AddPrefix(tracker, "");
  for (std::string_view prefix : prefixes) AddPrefix(tracker, prefix);
}

void Tracking::Disable(Session& session) {
  if (session.tracking == nullptr) return;
  SendAllCollected(session.facts.core);
  session.tracking = nullptr;
  Remove(trackers_.find(session.id));
  if (trackers_.empty()) SetActive(false);
}

void Tracking::Leave(Session& session) {
  if (session.tracking == nullptr) return;
  std::exchange(session.tracking, nullptr)->gone.store(true, std::memory_order_relaxed);
  gone_.fetch_add(1, std::memory_order_relaxed);
}

void Tracking::Remove(std::unordered_map<uint64_t, std::unique_ptr<Tracker>>::iterator tracker) {
  LeavePrefixes(*tracker->second);
  trackers_.erase(tracker);
}

void Tracking::AddPrefix(Tracker& tracker, std::string_view prefix) {
  if (!tracker.prefixes.emplace(prefix).second) return;
  tracker.prefix_memory += MemoryOf(prefix);
  Audience& audience = audiences_.FindOrAdd(prefix);
  audience.prefix = prefix;
  audience.trackers.push_back(&tracker);
}

// REQUIRES: nothing is collected.
void Tracking::LeavePrefixes(Tracker& tracker) {
  for (const std::string& prefix : tracker.prefixes) {
    Audience* const audience = audiences_.Find(prefix);
    std::erase(audience->trackers, &tracker);
    if (audience->trackers.empty()) audiences_.Remove(prefix);
  }
  tracker.prefixes.clear();
  tracker.prefix_memory = 0;
}

void Tracking::Cron(Dispatcher& dispatcher) {
  if (const size_t most = keys_max(); most != 0 && keys_.load(std::memory_order_relaxed) > most)
    LimitKeys(dispatcher.context().index, dispatcher.core().random, kForgottenByCron);
  if (gone_.load(std::memory_order_relaxed) == 0 || !dispatcher.long_commands().WorldIsFree()) return;
  dispatcher.WithWorldStopped([&] {
    SendAllCollected(dispatcher.context().index);
    gone_.store(0, std::memory_order_relaxed);
    for (auto each = trackers_.begin(); each != trackers_.end();) {
      const auto next = std::next(each);
      if (each->second->gone.load(std::memory_order_relaxed)) Remove(each);
      each = next;
    }
    if (trackers_.empty()) SetActive(false);
  });
}

// ---- reads ----

bool Tracking::NotedAlready(const Tracker& tracker, const Command& command, std::span<const PlacedKey> keys) {
  if (keys.size() != 1 || !command.Is(Flag::kReadOnly) || command.Is(Flag::kRunsScript)) return false;
  if (tracker.options.reads != TrackedReads::kAll || tracker.options.broadcasts || tracker.caching_said)
    return false;
  return ShardOf(keys[0].key).readers.HasFirst(keys[0].key, tracker.id);
}

void Tracking::AfterCommand(CoreContext& context, Session& session, const Command& command,
                            std::span<const std::string_view> argv, std::span<const PlacedKey> keys) {
  Tracker& tracker = *session.tracking;
  // What a script has read was noted command by command.
  if (command.Is(Flag::kReadOnly) && !command.Is(Flag::kRunsScript))
    NoteRead(context, tracker, command, argv, keys);
  if (tracker.caching_said && !context.run.in_transaction) ForgetCaching(session, &command);
}

void Tracking::ForgetCaching(Session& session, const Command* command) {
  if (session.tracking == nullptr || session.in_transaction() || IsClientCommand(command)) return;
  session.tracking->caching_said = false;
}

void Tracking::NoteRead(CoreContext& context, Tracker& tracker, const Command& command,
                        std::span<const std::string_view> argv, std::span<const PlacedKey> keys) {
  if (!tracker.notes_reads() || tracker.gone.load(std::memory_order_relaxed)) return;
  for (const PlacedKey& placed : keys) NoteKey(context, tracker, placed.key);
  if (!keys.empty()) return;
  std::vector<KeyPosition> positions;
  FindKeys(command, argv, positions);
  for (const KeyPosition& position : positions) {
    if ((position.use & KeyUse::kNotKey) == 0)
      NoteKey(context, tracker, context.core.keyspace.KeyOf(argv[position.index]));
  }
}

void Tracking::NoteKey(CoreContext& context, const Tracker& tracker, const Key& key) {
  context.core.keyspace.CheckHeld(Keyspace::ShardOf(key.hash));
  Shard& shard = ShardOf(key);
  using Added = keyspace::Readers::Added;
  if (shard.readers.Add(context.core.keyspace, key, tracker.id) != Added::kKey) [[likely]]
    return;
  shard.keys.store(static_cast<uint32_t>(shard.readers.keys()), std::memory_order_relaxed);
  const uint64_t keys = keys_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (const size_t most = keys_max(); most != 0 && keys > most) [[unlikely]]
    LimitKeys(context.index, context.core.random, kForgottenForOne);
}

// ---- changes ----

// The messages of a client that redirects go to the other session's core at once: on the way over its own
// core they would come late.
Tracking::Addressed Tracking::Address(const Tracker& tracker, uint64_t changer) {
  const TrackingOptions& options = tracker.options;
  const bool redirects = options.redirect != 0;
  const uint64_t told = redirects ? options.redirect : tracker.id;
  return {.core = redirects ? options.redirect_core : tracker.core,
          .recipient = {
              .session = told, .tracker = tracker.id, .tracker_core = tracker.core, .own = told == changer}};
}

// One letter for each core.
void Tracking::Tell(int from, const Invalidation& what, std::vector<Addressed> recipients) {
  std::stable_sort(recipients.begin(), recipients.end(),
                   [](const Addressed& a, const Addressed& b) { return a.core < b.core; });
  for (auto first = recipients.begin(); first != recipients.end();) {
    Invalidation letter = what;
    const int core = first->core;
    for (; first != recipients.end() && first->core == core; ++first)
      letter.recipients.push_back(first->recipient);
    delivery_.Deliver(core, from, std::move(letter));
  }
}

void Tracking::OnChanged(CoreContext& context, const Key& key, uint64_t changer) {
  if (!audiences_.empty()) {
    auto& collected = collected_[static_cast<size_t>(context.index)].keys;
    audiences_.VisitPrefixesOf(key.bytes, [&](const Audience& audience) {
      auto& keys =
          collected.try_emplace(audience.prefix, Collected::ForAudience{&audience, {}}).first->second.keys;
      keys.insert_or_assign(std::string(key.bytes), changer);
    });
  }
  InvalidateReaders(context.index, key, changer);
}

// REQUIRES: the key's shard is held.
void Tracking::InvalidateReaders(int from, const Key& key, uint64_t changer) {
  Shard& shard = ShardOf(key);
  if (shard.readers.keys() == 0) return;
  const std::vector<uint64_t> readers = shard.readers.Take(key);
  if (readers.empty()) return;
  shard.keys.store(static_cast<uint32_t>(shard.readers.keys()), std::memory_order_relaxed);
  keys_.fetch_sub(1, std::memory_order_relaxed);
  std::vector<Addressed> recipients;
  for (uint64_t id : readers) {
    const auto found = trackers_.find(id);
    if (found == trackers_.end()) continue;
    const Tracker& tracker = *found->second;
    // A note may be of an earlier life of the tracker.
    if (tracker.gone.load(std::memory_order_relaxed) || tracker.options.broadcasts) continue;
    if (tracker.options.spares_own && tracker.id == changer) continue;
    recipients.push_back(Address(tracker, changer));
  }
  if (!recipients.empty()) Tell(from, {.keys = Encode({&key.bytes, 1})}, std::move(recipients));
}

// As in Redis everybody is told, also who has done it and wants to hear nothing of its own changes.
void Tracking::InvalidateAll(int from, uint64_t changer) {
  if (shards_ == nullptr) return;
  SendAllCollected(from);
  std::vector<Addressed> recipients;
  for (const auto& [id, tracker] : trackers_) {
    if (!tracker->gone.load(std::memory_order_relaxed)) recipients.push_back(Address(*tracker, changer));
  }
  Tell(from, {.what = What::kEverything}, std::move(recipients));
  DropNotes();
}

// They are many, perhaps: somebody else frees them.
void Tracking::DropNotes() {
  const uint64_t keys = keys_.exchange(0);
  if (keys == 0) return;
  std::shared_ptr<Shard[]> old = std::exchange(shards_, std::make_unique<Shard[]>(Keyspace::kShards));
  if (keys > kFewKeys) services_.control.Defer([old] {});
}

// ---- prefixes ----

void Tracking::SendAllCollected(int from) {
  for (size_t core = 0; core < collected_.size(); ++core) SendCollected(static_cast<int>(core), from);
}

// One message for each prefix. Who wants to hear nothing of its own changes gets one without them, if it has
// made any.
void Tracking::SendCollected(int core, int from) {
  const auto all = std::exchange(collected_[static_cast<size_t>(core)].keys, {});
  std::vector<std::string_view> names;
  for (const auto& [prefix, collected] : all) {
    std::set<uint64_t> changers;
    names.clear();
    for (const auto& [name, changer] : collected.keys) {
      names.push_back(name);
      changers.insert(changer);
    }
    std::vector<Addressed> recipients;
    for (const Tracker* tracker : collected.audience->trackers) {
      if (tracker->gone.load(std::memory_order_relaxed)) continue;
      if (!tracker->options.spares_own || !changers.contains(tracker->id)) {
        recipients.push_back(Address(*tracker, 0));
        continue;
      }
      std::vector<std::string_view> others;
      for (const auto& [name, changer] : collected.keys) {
        if (changer != tracker->id) others.push_back(name);
      }
      if (!others.empty()) Tell(from, {.keys = Encode(others)}, {Address(*tracker, 0)});
    }
    if (!recipients.empty()) Tell(from, {.keys = Encode(names)}, std::move(recipients));
  }
}

// ---- how many keys ----

size_t Tracking::keys_max() const {
  return static_cast<size_t>(services_.settings.clients.tracking_table_max_keys);
}

void Tracking::LimitKeys(int from, Random& random, size_t at_once) {
  const size_t most = keys_max();
  if (shards_ == nullptr || most == 0) return;
  for (size_t i = 0; i < at_once && keys_.load(std::memory_order_relaxed) > most; ++i) {
    if (!ForgetAny(from, random)) return;
  }
}

// Whoever notes a key holds its shard, and shards that are taken out of order can only be tried.
bool Tracking::ForgetAny(int from, Random& random) {
  Keyspace& keyspace = services_.keyspace;
  const size_t first = random.Uniform(Keyspace::kShards);
  for (size_t i = 0; i < Keyspace::kShards; ++i) {
    const size_t index = (first + i) % Keyspace::kShards;
    Shard& shard = shards_[index];
    if (shard.keys.load(std::memory_order_relaxed) == 0 || !keyspace.TryLock(index)) continue;
    const bool found = shard.readers.keys() != 0;
    if (found) {
      const std::string name = shard.readers.Sample(random);
      InvalidateReaders(from, keyspace.KeyOf(name), 0);
    }
    keyspace.Unlock(index);
    if (found) return true;
  }
  return false;
}

Tracking::Totals Tracking::totals() const {
  Totals totals{.keys = keys_.load(std::memory_order_relaxed), .prefixes = audiences_.size()};
  for (size_t shard = 0; shards_ != nullptr && shard < Keyspace::kShards; ++shard)
    totals.items += shards_[shard].readers.items();
  return totals;
}

}  // namespace cinnabar::dispatch
