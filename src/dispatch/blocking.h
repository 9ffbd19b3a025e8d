// Commands that wait until a key has something for them (DESIGN §7).
//
// A handler that finds nothing calls Call::Block with a Waiting, which knows how to complete the command
// later. A command that makes, changes or removes a key serves the commands that wait for it, oldest first,
// under the locks of its own command, before its reply leaves. The waiter's client belongs to another core,
// perhaps: the baton (keyspace::Waiter::Take) decides who completes it, and its reply travels through the
// mailbox of its core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dispatch/caller.h"
#include "keyspace/keyspace.h"
#include "keyspace/waiters.h"
#include "protocol/reply_writer.h"

namespace cinnabar::dispatch {

class Args;
class Call;
struct Command;
struct Session;

// What a blocked command does when something has happened to one of its keys, or when its time is up. Owns
// everything it needs: the arguments of the command are gone by then.
class Waiting {
 public:
  virtual ~Waiting() = default;

  // Tries to complete the command with this key alone, whose shard is held. Writes the reply to call.reply(),
  // states its changes and effects (Propagate: the command's own arguments are never taken) and answers true;
  // or changes nothing, writes nothing and answers false. There is a caller, but no session. Runs
  // on any core.
  virtual bool Serve(Call& call, const keyspace::Key& key) = 0;
  // The name of the one further key that Serve touches (the destination of BLMOVE): its shard is held as
  // well. Empty: none.
  virtual std::string_view also() const { return {}; }
  // Whether Serve is wanted too when a key has been removed, or replaced by another type (XREADGROUP).
  virtual bool wants_removals() const { return false; }
  // For what waits for no key, but for copies of the journal (WAITAOF): as Serve, without its locks. Called
  // by the session's core when more of the journal is on disk, or with the world stopped.
  virtual bool ServeCopies(protocol::ReplyWriter&) { return false; }
  virtual void TimeOut(protocol::ReplyWriter& reply) const { reply.NullArray(); }
};

// One blocked command. Shared by its session, the queues of its keys and the core that completes it.
struct BlockedCall final : public keyspace::Waiter {
  struct AwaitedKey {
    std::string name;
    uint64_t hash;
    keyspace::Key key() const { return {name, hash}; }
  };

  explicit BlockedCall(uint64_t session) : caller(session, OutputBuffer(OutputBuffer::kFixedBytesMin)) {}

  // Stands for the session, and collects the reply: written by the core that has taken the baton, read by the
  // session's core once the call is done.
  Caller caller;
  int core = 0;  // of the session
  const Command* command = nullptr;
  std::vector<std::string> argv;
  std::vector<AwaitedKey> keys;  // none: waits for copies
  Millis deadline = keyspace::kNever;
  Ticks began = 0;  // by the clock of the session's core
  std::unique_ptr<Waiting> waiting;
};

// How somebody else ends a wait.
enum class UnblockWith : uint8_t {
  kTimeout,
  kError,
  kRoleChange,  // the server has become a replica: what it waits for is not its to change any more
};

// The time-out of blocking commands as Redis writes it: seconds with fractions, 0 for ever. Gives the moment
// (keyspace::kNever: for ever); errors are kept in `args`.
Millis TakeTimeoutSeconds(Args& args, Millis now);
// The same in whole milliseconds (XREAD BLOCK).
Millis TakeTimeoutMillis(Args& args, Millis now);

}  // namespace cinnabar::dispatch
