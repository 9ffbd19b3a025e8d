// Faults that a server has had, put into one on purpose: to see that a history test finds them. They act from
// where the server tells the test of each command, under the locks of its keys, so that nothing of them is in
// the server.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "server/history_record_for_test.h"
#include "server/server.h"

namespace cinnabar::server {

class Plant : public dispatch::HistoryObserver {
 public:
  // REQUIRES: nothing runs yet; the plant outlives the server.
  void Into(Server& server) {
    services_ = &server.services();
    next_ = std::exchange(services_->history, this);
  }
  void OnCommand(const dispatch::Caller& caller, std::span<const std::string_view> argv,
                 std::string_view reply, Ran ran) override {
    // The caller of a command that is served is no session.
    const auto* session = ran == Ran::kServed ? nullptr : static_cast<const dispatch::Session*>(&caller);
    Before(session);
    next_->OnCommand(caller, argv, reply, ran);
    After(session, argv);
  }

 protected:
  // Before and after the next observer hears of the command. `session` is null when a command is served.
  virtual void Before(const dispatch::Session* /*session*/) {}
  virtual void After(const dispatch::Session* session, std::span<const std::string_view> argv) = 0;

  dispatch::Services* services_ = nullptr;

 private:
  dispatch::HistoryObserver* next_ = nullptr;
};

// A run leaves its mode to another: what ran in the turn of a long command has hidden what has expired, and
// the next that runs in that turn does so as well. A write then makes a second key beside one that it does
// not see.
class ExpiryLeftOff final : public Plant {
 protected:
  void After(const dispatch::Session* session, std::span<const std::string_view>) override {
    if (session == nullptr) return;
    dispatch::Dispatcher& dispatcher = *services_->dispatchers[static_cast<size_t>(session->facts.core)];
    if (dispatcher.long_commands().yielding()) dispatcher.core().may_expire = false;
  }
};

// What a waiter has written that was served at the end of a long command is not noted of its shards. On one
// core alone, where the plant can undo the note before anybody has seen it.
class DeferredNotNoted final : public Plant {
 public:
  uint64_t undone() const { return undone_; }

 protected:
  void Before(const dispatch::Session* session) override {
    keyspace::Keyspace& keyspace = services_->keyspace;
    for (const auto& [shard, offset] : before_) {
      if (keyspace.journal_offset(shard) != appended_) continue;  // somebody has noted something later
      keyspace.set_journal_offset(shard, offset);
      ++undone_;
    }
    before_.clear();
    // Others are served by the command that makes their key ready, which is a write.
    deferred_ = session == nullptr && after_read_;
  }
  void After(const dispatch::Session* session, std::span<const std::string_view> argv) override {
    if (session != nullptr) {
      after_read_ = session->last_command != nullptr && session->last_command->Is(dispatch::Flag::kReadOnly);
      return;
    }
    if (!deferred_ || argv[0] != "BLMOVE") return;
    appended_ = services_->journal.offset();
    for (const std::string_view key : argv.subspan(1, 2)) {
      const size_t shard = keyspace::Keyspace::ShardOf(services_->keyspace.HashOf(key));
      before_.emplace_back(shard, services_->keyspace.journal_offset(shard));
    }
  }

 private:
  bool after_read_ = false;
  bool deferred_ = false;
  uint64_t appended_ = 0;
  std::vector<std::pair<size_t, uint64_t>> before_;  // shards, and what was known of them
  uint64_t undone_ = 0;
};

}  // namespace cinnabar::server
