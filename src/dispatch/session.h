// Session: one client as the commands see it: who it is, which database it uses, its transaction, its
// replies.
//
// Owned by the core that serves the connection. Other cores read or change it only while the world is
// stopped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/shared_bytes.h"
#include "dispatch/caller.h"
#include "dispatch/registry.h"
#include "dispatch/replication.h"
#include "keyspace/keyspace.h"
#include "pubsub/subscriber.h"

namespace cinnabar::security {
class User;
}

namespace cinnabar::dispatch {

class Call;
struct BlockedCall;

// A command kept for EXEC.
struct QueuedCommand {
  const Command* command;
  std::vector<std::string> argv;
};

struct WatchedKey {
  int database;
  std::string name;
  uint64_t hash;
  bool expired_when_watched;
};

struct Transaction {
  bool open = false;                     // between MULTI and EXEC
  bool rejected = false;                 // a command could not be queued: EXEC must abort
  size_t running = 0;                    // commands that EXEC is running; 0: it is not
  uint64_t flags = 0;                    // of all queued commands together
  uint64_t common_flags = ~uint64_t{0};  // that every queued command has
  std::vector<QueuedCommand> queue;
  std::vector<WatchedKey> watched;
  keyspace::Watcher watcher;
  // While scripts run for long their locks cannot be had: then watches are left, and made, later.
  bool unwatch_due = false;
  struct WatchDue {
    int database;
    std::string name;
    uint64_t script_writes;  // of Services, when it was asked for
  };
  std::vector<WatchDue> watch_due;
  bool watches_due() const { return unwatch_due || !watch_due.empty(); }
  size_t queue_memory = 0;
  size_t watch_memory = 0;

  void Reset() {
    open = rejected = false;
    flags = 0;
    common_flags = ~uint64_t{0};
    queue.clear();
    queue_memory = 0;
  }
};

// What happens to the replies of commands (CLIENT REPLY).
enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkipping };

enum class Closing : uint8_t {
  kNo,
  kAfterReply,  // once everything written has been sent
  kNow,
};

// A command that goes on in slices between other commands (KEYS over a large keyspace).
class Continuation {
 public:
  enum class Progress : uint8_t { kMore, kDone };
  virtual ~Continuation() = default;
  // Does a slice of work, well below a millisecond. Writes its reply to call.reply() before it says kDone.
  virtual Progress Step(Call& call) = 0;
};

// Where the arguments of a request lie. A large one can be kept without a copy.
class ArgumentLender {
 public:
  virtual ~ArgumentLender() = default;
  // The bytes of an argument, to be kept for as long as the caller likes. Empty when they are to be copied:
  // they are few, or would keep much more memory than they need.
  virtual SharedBytes Lend(std::string_view argument) = 0;
};

// Facts that the connection's owner fills in for CLIENT LIST and limits.
struct ConnectionFacts {
  int fd = -1;
  int core = 0;
  bool unix_socket = false;
  bool loopback = false;
  bool tls = false;
  std::string peer;  // "127.0.0.1:50000", or the path of the Unix socket with ":0"
  std::string local;
  size_t query_bytes = 0;       // read and not consumed
  size_t query_free_bytes = 0;  // room left in the query buffer
  size_t query_memory = 0;      // that the connection holds for it, and for having parsed a part of it
  size_t partial_argument_bytes = 0;
  size_t reply_peak_bytes = 0;
  bool reading = true;   // waits for input
  bool writing = false;  // waits until output can be sent
  uint64_t read = 0;     // the number of its last read among those of its core
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

struct Session : Caller {
  using Caller::Caller;

  // A command that nobody gets a reply of has ended: CLIENT REPLY SKIP is for one only.
  void PassReply() {
    if (reply_mode == ReplyMode::kSkipping) reply_mode = ReplyMode::kOn;
    if (reply_mode == ReplyMode::kSkipNext) reply_mode = ReplyMode::kSkipping;
  }

  bool in_transaction() const { return transaction.open; }
  bool subscribed() const { return subscriber != nullptr; }
  // A RESP2 client that has subscriptions cannot tell messages from replies: it may do little else.
  bool only_listens() const { return subscriber != nullptr && reply.version() == protocol::Resp::k2; }
  // Whether a replica of ours is behind the connection.
  bool replica() const { return feed != nullptr && feed->replica(); }
  size_t subscriptions(pubsub::Kind kind) const { return subscribed() ? subscriber->count(kind) : 0; }

  // Who it is; AccessControl keeps the four in step. Null: the server itself, which may do everything.
  std::shared_ptr<const security::User> user;
  bool logged_in = true;      // it has said who it is, or came while nobody was asked
  bool authenticated = true;  // logged in, or nobody is asked just now
  bool unrestricted = true;   // authenticated, as a user that may do everything
  bool monitor = false;
  bool no_evict = false;
  bool no_touch = false;
  bool asking = false;         // ASKING: the next command may use a slot that is being imported
  bool reads_replica = false;  // READONLY: a replica may answer what reads its primary's slots
  bool suspended = false;      // a Continuation runs, or it is blocked: no further requests are taken
  bool postponed = false;      // waits for the end of a CLIENT PAUSE or of a long command, or for other cores
  bool waits_for_others = false;  // postponed until other cores have caught up: it is run even if its client
                                  // hangs up
  uint8_t postponements = 0;      // how often a long command was in the way of the request that is next
  ReplyMode reply_mode = ReplyMode::kOn;
  Closing closing = Closing::kNo;
  std::unique_ptr<pubsub::Subscriber> subscriber;  // null: no subscriptions
  std::unique_ptr<Feed> feed;                      // null: it has said nothing that only replicas say
  Session* behalf = nullptr;  // a script's commands run for it; null: it has a client of its own
  bool upstream = false;      // what our primary sends is run for it
  std::string name;
  std::string library_name;
  std::string library_version;
  Millis created = 0;
  Millis last_active = 0;
  Millis soft_limit_since = 0;  // when the output buffer exceeded its soft limit; 0: it does not
  const Command* last_command = nullptr;
  uint64_t commands = 0;
  Transaction transaction;
  ArgumentLender* lender = nullptr;  // of the requests; null: arguments are copied
  std::unique_ptr<Continuation> continuation;
  std::shared_ptr<BlockedCall> blocked;  // waits for keys; suspended as well
  ConnectionFacts facts;
};

}  // namespace cinnabar::dispatch
