// Mailbox: what other threads ask of a core. The core takes it out between two commands and runs it on its
// own thread, in the order in which it was asked.
//
// There are two kinds of work. Most may do anything, and so has to wait until no command is in the middle.
// Work `between` commands is also done in the turn that a long command gives to others: it may take no lock
// that a command can hold, and it says kLater when what it needs is in the middle of something itself. A long
// command thus delays neither messages nor new connections.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace cinnabar::server {

class Mailbox {
 public:
  enum class Handled : uint8_t { kYes, kLater };
  enum class When : uint8_t {
    kBetweenCommands,
    kDuringCommand,  // a long one gives others a turn
  };

  // Any thread. True when the box was empty: the owner may be asleep and has to be woken. Otherwise the
  // first sender has done so, and the owner has not looked yet.
  bool Post(std::function<void()> work) { return Put({.alone = std::move(work), .between = nullptr}); }
  bool PostBetween(std::function<Handled()> work) {
    return Put({.alone = nullptr, .between = std::move(work)});
  }

  // The owner's thread: does what can be done now. The rest is kept, and stays ahead of all that comes later.
  // Work may post more; it is done the next time.
  void Drain(When when);

 private:
  // One of the two.
  struct Letter {
    std::function<void()> alone;
    std::function<Handled()> between;
  };

  bool Put(Letter letter);

  std::mutex mutex_;
  std::vector<Letter> arrived_;  // guarded by mutex_
  std::vector<Letter> kept_;     // the owner's: taken out, and to be handled later
};

}  // namespace cinnabar::server
