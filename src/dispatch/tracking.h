// Tracking: client-side caching. It notes which clients have read which keys, and has them told when a key
// changes, so that they can drop what they have cached (DESIGN §14, docs/design/tracking.md).
//
//   a read     the key's shard notes the client                                      (NoteRead)
//   a change   takes the note out and posts it to the cores of those clients, while the changer still holds
//              the shard: who reads the new value is noted anew                      (OnChanged)
//   prefixes   clients that ask for every change of keys with a prefix are in one tree. Changed keys are
//              collected on the changer's core, and posted before its replies leave  (SendBroadcasts)
//
// What is posted is written to a client between two commands of its core (InvalidationDelivery).
//
// Threads. The trackers and the tree change with the world stopped and are read inside a batch without a
// lock. The notes belong to their shards. What a core has collected is its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/shared_bytes.h"
#include "dispatch/keys.h"
#include "keyspace/readers.h"
#include "structures/prefix_tree.h"

namespace cinnabar::dispatch {

struct Services;
struct Session;
struct CoreContext;
class Dispatcher;

// Which of a client's reads are noted.
enum class TrackedReads : uint8_t {
  kAll,
  kOnRequest,       // OPTIN: after CLIENT CACHING YES
  kUnlessDeclined,  // OPTOUT: not after CLIENT CACHING NO
};

// What CLIENT TRACKING ON asks for.
struct TrackingOptions {
  TrackedReads reads = TrackedReads::kAll;
  bool broadcasts = false;  // BCAST: told by prefixes; no reads are noted
  bool spares_own = false;  // NOLOOP: not told of its own changes
  uint64_t redirect = 0;    // the session that is told instead; 0: none
  int redirect_core = 0;    // of that session
};

// A client that tracks. Made, changed and removed with the world stopped; read by any core inside a batch.
struct Tracker {
  Tracker(uint64_t id, int core) : id(id), core(core) {}

  const uint64_t id;  // of the session
  const int core;
  TrackingOptions options;
  std::set<std::string, std::less<>> prefixes;  // with BCAST
  size_t prefix_memory = 0;                     // that they take, here and in the tree
  std::atomic<bool> gone{false};                // tracks no more, and is about to be removed

  // Of the session's core alone.
  bool caching_said = false;     // by CLIENT CACHING, for the command or transaction that comes next
  bool redirect_broken = false;  // the other session is gone, and this one has been told

  bool notes_reads() const {
    if (options.broadcasts) return false;
    return options.reads == TrackedReads::kAll || caching_said == (options.reads == TrackedReads::kOnRequest);
  }
};

// Tells some clients of one core that keys have changed.
struct Invalidation {
  enum class What : uint8_t {
    kKeys,
    kEverything,    // the data set was emptied, or exchanged
    kRedirectGone,  // whom the client has redirected its messages to
  };
  struct Recipient {
    uint64_t session;  // who is told
    uint64_t tracker;  // whose cache it is about: the same one, or one that redirects
    int tracker_core;
    bool own;  // a command of the session that is told has made the change
  };
  What what = What::kKeys;
  SharedBytes keys = {};  // of kKeys: names, as an array of bulk strings
  uint64_t gone = 0;      // of kRedirectGone
  std::vector<Recipient> recipients = {};
};

// Takes invalidations to the cores of their recipients.
class InvalidationDelivery {
 public:
  virtual ~InvalidationDelivery() = default;
  // Any thread, with shards held: hands over and returns. What is given for one core is written there in the
  // order of the calls, before the next command that the core executes. `from`: the core that calls, or -1.
  virtual void Deliver(int core, int from, Invalidation invalidation) = 0;
  // Writes what has come for this core now. On its thread, no command of it in the middle.
  virtual void WriteArrived(int core) = 0;
};

class Tracking {
 public:
  // All must outlive it.
  Tracking(Services& services, int cores, InvalidationDelivery& delivery);
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  // CLIENT TRACKING. With the world stopped. What was set before is replaced, prefixes are added.
  void Enable(Session& session, const TrackingOptions& options, std::span<const std::string_view> prefixes);
  void Disable(Session& session);
  // The session tracks no more: it ends, or RESET. Its core. What is left of it goes with the next Cron.
  void Leave(Session& session);

  // Notes the keys of a command that only reads, in the name of a client. This is the one point where reads
  // are noted: for commands of scripts it is called with the tracker of the client that has called the
  // script. `keys` may be empty: they are found then. REQUIRES: the keys' shards are held since they were
  // read.
  void NoteRead(CoreContext& context, Tracker& tracker, const Command& command,
                std::span<const std::string_view> argv, std::span<const PlacedKey> keys);
  // The same for one key, whatever CLIENT CACHING said.
  void NoteKey(CoreContext& context, const Tracker& tracker, const keyspace::Key& key);
  // Whether AfterCommand would have nothing to do, as in the usual case: one key, which is noted.
  bool NotedAlready(const Tracker& tracker, const Command& command, std::span<const PlacedKey> keys);
  // A command of a client that tracks has run: notes what it read. REQUIRES: its shards are held.
  void AfterCommand(CoreContext& context, Session& session, const Command& command,
                    std::span<const std::string_view> argv, std::span<const PlacedKey> keys);
  // CLIENT CACHING is for one command or transaction, also one that is refused.
  static void ForgetCaching(Session& session, const Command* command);

  // A key has changed, or is about to, with its shard held; by a command of this session, or (0) by itself.
  void OnChanged(CoreContext& context, const keyspace::Key& key, uint64_t changer);
  // Every key may have changed, by a command of this session (0: of none). With the world stopped.
  void InvalidateAll(int from, uint64_t changer = 0);
  // Posts what was collected for prefixes on this core. Its thread, or with the world stopped.
  void SendBroadcasts(int core) {
    if (!collected_[static_cast<size_t>(core)].keys.empty()) [[unlikely]]
      SendCollected(core, core);
  }
  // Writes what has come for this core before the command that is about to run has begun.
  void WriteArrived(int core) { delivery_.WriteArrived(core); }

  // Makes room for tracking-table-max-keys: forgets keys at random, and has their readers told. Any core, no
  // matter what it holds.
  void LimitKeys(int from, Random& random, size_t at_once);
  // Removes trackers that are gone. Core 0, inside a batch, no shard held.
  void Cron(Dispatcher& dispatcher);

  struct Totals {
    uint64_t keys = 0;
    uint64_t items = 0;
    uint64_t prefixes = 0;
  };
  // With the world stopped.
  Totals totals() const;

 private:
  struct alignas(64) Shard {
    keyspace::Readers readers;
    std::atomic<uint32_t> keys{0};  // of them; read by others to find shards that have some
  };
  struct Audience {
    std::string prefix;
    std::vector<const Tracker*> trackers;
  };
  // Changed keys, and who has changed each last.
  using Changes = std::map<std::string, uint64_t, std::less<>>;
  struct alignas(64) Collected {
    struct ForAudience {
      const Audience* audience;
      Changes keys;
    };
    std::map<std::string_view, ForAudience> keys;  // by prefix
  };
  struct Addressed {
    int core;
    Invalidation::Recipient recipient;
  };

  static Addressed Address(const Tracker& tracker, uint64_t changer);
  void Tell(int from, const Invalidation& what, std::vector<Addressed> recipients);
  void SendCollected(int core, int from);
  void SendAllCollected(int from);
  void AddPrefix(Tracker& tracker, std::string_view prefix);
  void LeavePrefixes(Tracker& tracker);
  void Remove(std::unordered_map<uint64_t, std::unique_ptr<Tracker>>::iterator tracker);
  void SetActive(bool active);
  void DropNotes();
  Shard& ShardOf(const keyspace::Key& key) { return shards_[keyspace::Keyspace::ShardOf(key.hash)]; }
  void InvalidateReaders(int from, const keyspace::Key& key, uint64_t changer);
  bool ForgetAny(int from, Random& random);
  size_t keys_max() const;

  Services& services_;
  InvalidationDelivery& delivery_;
  std::unordered_map<uint64_t, std::unique_ptr<Tracker>> trackers_;  // by session
  PrefixTree<Audience> audiences_;
  std::unique_ptr<Shard[]> shards_;  // null while nobody tracks
  std::vector<Collected> collected_;
  std::atomic<uint64_t> keys_{0};  // that are noted
  std::atomic<uint64_t> gone_{0};  // trackers
};

}  // namespace cinnabar::dispatch
