// Call: one run of one command, as its handler sees it. The handler parses with Args, acts through db(), says
// what changed with Changed(), and writes reply(). It sees no socket, no lock, no thread and no RESP version.
//
// Size: everything that a handler may do stands in this one place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "base/check.h"
#include "config/settings.h"
#include "dispatch/blocking.h"
#include "dispatch/keys.h"
#include "dispatch/services.h"
#include "dispatch/session.h"
#include "keyspace/database.h"
#include "protocol/reply_writer.h"

namespace cinnabar::dispatch {

class Dispatcher;
class ScriptRun;

class Call {
 public:
  Call(Dispatcher& dispatcher, keyspace::CoreState& core, Session& session, const Command& command,
       std::span<const std::string_view> argv, std::span<const PlacedKey> keys)
      : dispatcher_(&dispatcher),
        caller_(&session),
        session_(&session),
        command_(&command),
        argv_(argv),
        keys_(keys),
        database_(core, session.database) {}
  // Of a blocked command that is served.
  Call(Dispatcher& dispatcher, keyspace::CoreState& core, Caller& caller, const Command& command,
       std::span<const std::string_view> argv)
      : dispatcher_(&dispatcher),
        caller_(&caller),
        command_(&command),
        argv_(argv),
        database_(core, caller.database) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Command& command() const { return *command_; }
  std::span<const std::string_view> argv() const { return argv_; }
  std::string_view arg(size_t index) const { return argv_[index]; }
  size_t argc() const { return argv_.size(); }
  // REQUIRES: no blocked command is being served.
  Session& session() const {
    DCHECK(session_ != nullptr);
    return *session_;
  }
  protocol::ReplyWriter& reply() const { return caller_->reply; }
  // Of the session, also while a blocked command of it is being served.
  uint64_t session_id() const { return caller_->id; }

  // The key at an argument position, with its hash (computed already when the command's key specifications
  // name it).
  keyspace::Key key(size_t index) {
    if (next_key_ < keys_.size() && keys_[next_key_].index == index) [[likely]]
      return keys_[next_key_++].key;
    return FindKey(index);
  }

  // The caller's database, and any other.
  keyspace::Database& db() { return database_; }
  keyspace::Database database(int index) const { return keyspace::Database(database_.core(), index); }
  Millis now() const { return database_.now(); }
  keyspace::CoreState& core() const { return database_.core(); }
  Services& services() const;
  const config::Settings& settings() const { return services().settings; }
  Dispatcher& dispatcher() const { return *dispatcher_; }
  // Whether the command runs inside EXEC.
  bool in_transaction() const;

  // The script that the command is a part of; null: none.
  ScriptRun* script() const;

  // Says that a key was changed: counts it, marks its watchers, sends the notification. The command itself
  // becomes the journal record, unless Propagate or PropagateNothing says otherwise.
  void Changed(uint32_t event_class, std::string_view event, const keyspace::Key& key) {
    ChangedIn(database_, event_class, event, key);
  }
  void ChangedIn(keyspace::Database& database, uint32_t event_class, std::string_view event,
                 const keyspace::Key& key);
  // Counts changes that have no key of their own (FLUSHALL, SWAPDB).
  void MarkDirty(uint64_t changes) { dirty_ += changes; }
  // A notification without a change.
  void Notify(uint32_t event_class, std::string_view event, std::string_view key);

  // The effect for the journal, in place of the command as it was sent. May be called several times.
  void Propagate(std::initializer_list<std::string_view> argv) {
    Propagate(std::span<const std::string_view>(argv.begin(), argv.size()));
  }
  void Propagate(std::span<const std::string_view> argv);
  // The same for replicas alone: nothing of it is kept in a file, and nothing else is replaced by it.
  void PropagateToReplicas(std::span<const std::string_view> argv);
  void PropagateNothing() { propagation_ = Propagation::kExplicit; }

  // To be asked by a command that has found nobody, before it says so: whether other cores have executed what
  // had reached them before this command was read. If not, the handler must return without a reply; it is
  // run again when they have, and is then told true. Always true in a transaction. When it is true the
  // handler looks once more: what it waits for may have been done since it looked. REQUIRES: nothing was
  // changed, and the command has no keys.
  bool AfterOthers();

  // Goes on in slices between other commands. REQUIRES: !in_transaction().
  void Suspend(std::unique_ptr<Continuation> continuation);

  // Suspends the session until one of the keys has something for it, or until `deadline` (keyspace::kNever:
  // for ever); see blocking.h. The reply comes later. REQUIRES: may_block(), and the keys' shards are held.
  void Block(std::unique_ptr<Waiting> waiting, std::span<const keyspace::Key> keys, Millis deadline);
  // False inside a transaction: the command answers as if its time were up.
  bool may_block() const { return !in_transaction(); }

  // To be called between the elements of a piece of work that grows with the data: once it has taken long,
  // the core's other clients get their turn, again and again. The command's shards stay locked, so that all
  // it has found stays as it is; a command that needs them, or the whole keyspace, waits for its end. A step
  // is the work that one element takes. REQUIRES: no other shard is held, and nothing of this core's that
  // another command would use is being changed.
  void Yield(uint32_t steps = 1) {
    steps_ += steps;
    if (steps_ >= database_.core().steps_between_looks) [[unlikely]]
      YieldIfLong();
  }

  // The bytes of an argument for a value that keeps them, if it is large enough to lie where it is; else
  // empty: then they are to be copied.
  SharedBytes Lend(std::string_view argument) {
    if (argument.size() < kLentBytesMin || session_ == nullptr || session_->lender == nullptr) [[likely]]
      return {};
    return session_->lender->Lend(argument);
  }
  static constexpr size_t kLentBytesMin = 128 * 1024;

  // Keeps an argument out of the slow log and MONITOR.
  void Redact(size_t index);
  bool redacted() const { return redacted_ != 0; }
  bool redacted(size_t index) const { return index < 64 && (redacted_ >> index & 1) != 0; }

  // Whether the entry has the type; writes the WRONGTYPE error if not. A missing entry passes.
  bool Expect(const keyspace::EntryRef& entry, types::Type type) {
    if (!entry || entry->type() == type) [[likely]]
      return true;
    ReplyWrongType();
    return false;
  }

  // For the dispatcher.
  uint64_t dirty() const { return dirty_; }
  bool propagates_itself() const { return propagation_ == Propagation::kVerbatim; }
  std::span<const PlacedKey> keys() const { return keys_; }
  // When it began, on the clock of the dispatcher; what others were given in between does not count.
  Ticks started = 0;
  Ticks next_yield = 0;

 private:
  enum class Propagation : uint8_t { kVerbatim, kExplicit };
  keyspace::Key FindKey(size_t index);
  void ReplyWrongType();
  void YieldIfLong();

  Dispatcher* dispatcher_;
  Caller* caller_;
  Session* session_ = nullptr;  // the caller, or null
  const Command* command_;
  std::span<const std::string_view> argv_;
  std::span<const PlacedKey> keys_;
  size_t next_key_ = 0;
  keyspace::Database database_;
  uint64_t dirty_ = 0;
  uint64_t redacted_ = 0;
  uint32_t steps_ = 0;
  Propagation propagation_ = Propagation::kVerbatim;
};

}  // namespace cinnabar::dispatch
