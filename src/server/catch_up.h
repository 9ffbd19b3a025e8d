// CatchUp: lets a command of one core see what had reached the other cores before it.
//
// A client that sends SUBSCRIBE on one connection and PUBLISH on another right behind it leans on an order
// that cores do not have among each other: the core of the first may still be asleep, or busy, when the
// second has executed the PUBLISH. So a command that has found nobody asks here before it says so.
//
//   PUBLISH finds nobody
//     |- every other core is at rest: no socket of it is readable, nothing that it has read waits: nobody it
//     is
//     `- else the session is postponed, and a round begins: each core that is not at rest gets a letter,
//        executes what its sockets have then, and answers; after the last answer the PUBLISH is run again
//
// A round is for everything that this core had read when the round began: for all requests of a batch and of
// a pipeline together. Nobody waits on a thread, and nobody holds anything meanwhile, so that two cores may
// ask each other. A core that does not answer for a second (it is in a command that gives nobody a turn) is
// not waited for any longer, and not asked again before it has answered.
//
// docs/design/order-between-connections.md says what follows for clients.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "dispatch/session.h"
#include "net/reactor.h"

namespace cinnabar::server {

class Core;

// One for each core, used on its thread.
class CatchUp {
 public:
  // `cores` must outlive this, and be complete before the first request is read.
  CatchUp(const std::vector<std::unique_ptr<Core>>& cores, int core, net::Reactor& reactor)
      : cores_(cores), self_(core), reactor_(reactor) {}
  CatchUp(const CatchUp&) = delete;
  CatchUp& operator=(const CatchUp&) = delete;

  // The number of a read of this core's, for ConnectionFacts::read.
  uint64_t CountRead() { return ++reads_; }

  // Whether what had reached the other cores before the session's last read has been executed. If not, the
  // session is resumed when it has: REQUIRES that its request is postponed then. Costs a load for each other
  // core, and a system call for each that is at rest, at most once for all that has been read.
  bool Reached(dispatch::Session& session);

  // Around each Reactor::Wait of the loop: whether everything that was read is executed, as far as it can be.
  // Cleared before anything is read.
  void SetAtRest(bool at_rest) { at_rest_.store(at_rest); }
  // Any thread. Whether everything that had reached the core's sockets when this was called has been read,
  // and what can be executed of it is executed.
  bool AtRest() const;

  // For the cores that ask this one. Whether any waits for an answer: then the core must not sleep.
  bool asked() const { return !questions_.empty(); }
  // How many have ever asked.
  uint64_t asked_so_far() const { return asked_so_far_; }
  // All that one call of Reactor::Wait returned has been executed. When it was called, so many had asked.
  void TurnEnded(uint64_t asked_before);

  // Gives up waiting for who does not answer. Several times a second.
  void Cron();

 private:
  // Of another core: it is answered when so many turns have ended.
  struct Question {
    int core;
    uint64_t round;
    uint64_t number = 0;  // of all that were ever asked
    size_t turns = 0;
  };
  enum class Peer : uint8_t { kIdle, kAsked, kSilent };

  bool BeginRound();
  void Ask(int peer);
  void OnQuestion(Question question);
  void OnAnswer(int peer, uint64_t round);
  void EndRound();

  const std::vector<std::unique_ptr<Core>>& cores_;
  const int self_;
  net::Reactor& reactor_;
  std::atomic<bool> at_rest_{false};
  uint64_t reads_ = 0;
  uint64_t reached_ = 0;  // reads up to this one need no further round

  uint64_t round_ = 0;        // the one that is on its way, or the last one
  uint64_t round_reads_ = 0;  // that it is for
  size_t missing_ = 0;        // answers; 0: no round is on its way
  Nanos round_began_ = 0;
  std::vector<Peer> peers_;
  std::vector<uint64_t> waiting_;  // sessions that a round is for

  std::vector<Question> questions_;
  uint64_t asked_so_far_ = 0;
};

}  // namespace cinnabar::server
