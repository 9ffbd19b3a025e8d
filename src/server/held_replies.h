// HeldReplies: the connections of one core whose replies wait until the journal is as safe as they need it to
// be (DESIGN §6).
//
// A connection waits for an offset of the journal, its session's hold_until. Some other thread learns that
// the journal is safe up to a later offset, stores that, and then asks each core whether it holds replies; a
// core that holds one says so first and then looks at the offset once more. In every order of these four
// steps one of the two sees the other, and no reply is forgotten.
//
// The owner's thread, except `any`.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "server/connection.h"

namespace cinnabar::server {

class HeldReplies {
 public:
  // The connection waits from now on, if it does not already. It waits for what its session tells of now:
  // later replies of it wait for no less.
  void Hold(Connection& connection) {
    if (connection.Enter(Place::kHeld)) held_.push_back({&connection, connection.session.hold_until});
  }
  // Says to other threads that some wait. Look at the released offset once more after that.
  void Announce() { any_.store(true); }
  // It waits no more, or is about to go.
  void Forget(Connection& connection) {
    if (!connection.Leave(Place::kHeld)) return;
    std::erase_if(held_, [&](const Held& held) { return held.connection == &connection; });
    for (Held& held : leaving_) {
      if (held.connection == &connection) held.connection = nullptr;
    }
  }
  // Any thread. A thread that raises the released offset and then reads false need not ask for LetGo.
  bool any() const { return any_.load(); }

  // Lets those go whose offset is reached, looking only at them: one sync sets a part of all free. `released`
  // says how far the journal is; `send` may close connections, this one or others.
  template <typename Released, typename Send>
  void LetGo(Released&& released, Send&& send) {
    uint64_t reached = 0;
    do {
      any_.store(false);
      reached = released();
      leaving_.swap(held_);
      for (const Held& held : leaving_) {
        if (held.connection == nullptr) continue;  // closed meanwhile
        if (held.until > reached) {
          held_.push_back(held);
          continue;
        }
        held.connection->Leave(Place::kHeld);
        send(*held.connection);
      }
      leaving_.clear();
      if (held_.empty()) return;
      any_.store(true);
    } while (released() > reached);
  }

 private:
  struct Held {
    Connection* connection;
    uint64_t until;  // hold_until of its session, when it began to wait
  };

  std::vector<Held> held_;
  std::vector<Held> leaving_;  // of LetGo, while it is at it
  std::atomic<bool> any_{false};
};

}  // namespace cinnabar::server
