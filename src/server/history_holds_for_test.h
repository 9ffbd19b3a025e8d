// HoldWatch: where replies wait for the disk (DESIGN §6), no reply may leave before everything that it tells
// is there. A session's hold_until is the offset of the journal that its replies wait for; so it may never
// lie before the end of the last record that changed a key of a command that the session has run.
//
// The watch sees the records as they are appended and the commands as they run, both under the locks of their
// keys. What a command did to that offset it sees when the next command of that session has run.
// Shards have no part in it: the watch knows keys by their names, whatever their database.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dispatch/keys.h"
#include "dispatch/registry.h"
#include "server/history_collections_for_test.h"
#include "server/history_record_for_test.h"

namespace cinnabar::server {

class HoldWatch final : public dispatch::HistoryObserver, public journal::JournalSink {
 public:
  // Hands everything on to `next`.
  explicit HoldWatch(HistoryRecorder& next) : next_(next) {}
  // REQUIRES: nothing runs yet.
  void Begin(dispatch::Services& services) { services_ = &services; }

  // Once nothing runs any more.
  const std::vector<std::string>& faults() const { return faults_; }
  uint64_t checks() const { return checks_; }  // offsets that had to lie behind something

  void OnCommand(const dispatch::Caller& caller, std::span<const std::string_view> argv,
                 std::string_view reply, Ran ran) override {
    {
      std::lock_guard lock(mutex_);
      Told& told = sessions_[caller.id];
      // The caller of a command that is served stands for its session, and knows of that command alone.
      if (ran != Ran::kServed) Check(caller, told);
      if (ran != Ran::kWaits) Note(told, Words(argv.begin(), argv.end()), reply, ran == Ran::kServed);
    }
    next_.OnCommand(caller, argv, reply, ran);
  }

  void OnBytes(uint64_t offset, std::string_view bytes) override {
    {
      std::lock_guard lock(mutex_);
      last_.end = offset + bytes.size();
      for (const Words& words : JournalCommands(bytes)) NoteWritten(words);
    }
    next_.OnBytes(offset, bytes);
  }

 private:
  // The end of an append to the journal, and the beginning of a command in it.
  struct Record {
    uint64_t end = 0;
    Words words;
    bool operator<(const Record& other) const { return end < other.end; }
  };
  // What a session's replies have told.
  struct Told {
    uint64_t until = 0;        // of the journal
    Words by;                  // the command
    Words record;              // that ends there
    std::vector<Words> queue;  // since MULTI
    std::vector<std::string> watched;
  };

  void Check(const dispatch::Caller& caller, Told& told) {
    const bool held = (services_->alarms.load() & dispatch::Alarm::kHoldReplies) != 0;
    if (!held || told.until == 0) return;
    ++checks_;
    if (caller.hold_until >= told.until) return;
    faults_.push_back("session " + std::to_string(caller.id) + ": the reply to " + Shown(told.by) +
                      "may leave when the disk has the journal up to " + std::to_string(caller.hold_until) +
                      ", but tells of " + std::to_string(told.until) + ", where " + Shown(told.record) +
                      "ends");
    told.until = 0;
  }

  void Note(Told& told, const Words& argv, std::string_view reply, bool served) {
    const std::string& name = argv[0];
    if (reply == "+QUEUED\r\n") return told.queue.push_back(argv);
    if (name == "WATCH") told.watched.insert(told.watched.end(), argv.begin() + 1, argv.end());
    Record newest;
    if (name == "EXEC" && !reply.starts_with('-')) {
      for (const Words& queued : told.queue) newest = std::max(newest, Newest(queued));
      // Without them nothing would have run; and nil says that one has changed.
      for (const std::string& key : told.watched) newest = std::max(newest, Written(key));
    } else {
      newest = Newest(served ? AsServed(argv, reply) : argv);
    }
    if (name == "EXEC" || name == "DISCARD") told.queue.clear();
    if (name == "EXEC" || name == "DISCARD" || name == "UNWATCH") told.watched.clear();
    if (newest.end <= told.until) return;
    told.until = newest.end;
    told.record = std::move(newest.words);
    told.by = argv;
  }

  // The last record that changed what this command touches.
  Record Newest(const Words& argv) {
    const dispatch::Command* command = FindKeys(argv);
    if (command == nullptr) return {};
    const std::vector<std::string_view> views(argv.begin(), argv.end());
    const bool all = command->NeedsWorld(views, services_->settings) && command->Is(dispatch::Flag::kWrite);
    if (all || argv[0] == "DBSIZE") return last_;
    Record newest;
    for (const dispatch::KeyPosition& position : positions_) {
      newest = std::max(newest, Written(argv[position.index]));
    }
    return newest;
  }

  const Record& Written(const std::string& key) const {
    const auto found = written_.find(key);
    return found == written_.end() ? all_written_ : std::max(all_written_, found->second);
  }

  void NoteWritten(const Words& words) {
    last_.words.assign(words.begin(),
                       words.begin() + static_cast<ptrdiff_t>(std::min<size_t>(words.size(), 6)));
    if (words[0].starts_with("FLUSH") || words[0] == "SWAPDB") all_written_ = last_;
    FindKeys(words);
    for (const dispatch::KeyPosition& position : positions_) {
      if ((position.use & dispatch::KeyUse::kRo) == 0) written_[words[position.index]] = last_;
    }
  }

  // Leaves the keys in `positions_`.
  const dispatch::Command* FindKeys(const Words& argv) {
    const std::vector<std::string_view> views(argv.begin(), argv.end());
    const dispatch::Command* command = services_->registry.Resolve(views);
    positions_.clear();
    if (command == nullptr || !command->AcceptsArgumentCount(views.size())) return command;
    if (!dispatch::FindKeys(*command, views, positions_)) positions_.clear();
    std::erase_if(positions_,
                  [](const auto& position) { return (position.use & dispatch::KeyUse::kNotKey) != 0; });
    return command;
  }

  HistoryRecorder& next_;
  dispatch::Services* services_ = nullptr;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Told> sessions_;
  std::unordered_map<std::string, Record> written_;  // by key: the last that changed it
  Record all_written_;                               // the last that changed all keys at once
  Record last_;
  uint64_t checks_ = 0;
  std::vector<dispatch::KeyPosition> positions_;
  std::vector<std::string> faults_;
};

}  // namespace cinnabar::server
