// A command that waits for another server: who has a turn meanwhile, and who is put off.
#include <fcntl.h>
#include <unistd.h>

#include <deque>
#include <functional>

#include "dispatch/services_for_test.h"
#include "net/reactor.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Keyspace;

// Waits until the descriptor named by the second argument can be read, for as many milliseconds as the third
// one says.
void Await(Call& call) {
  const int fd = std::stoi(std::string(call.arg(2)));
  const Nanos until = SystemMonotonicNanos() + std::stol(std::string(call.arg(3))) * kNanosPerMilli;
  const bool ready = call.dispatcher().long_commands().WaitForPeer(call, fd, net::kReadable, until);
  call.reply().Simple(ready ? "ready" : "timed out");
}

void Read(Call& call) {
  call.reply().Integer(call.db().FindRead(call.key(1)) ? 1 : 0);
}

void Alone(Call& call) {
  call.reply().Ok();
}

void Exec(Call& call) {
  call.dispatcher().RunQueued(call.session());
}

void Multi(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

constexpr CommandSpec Spec(std::string_view name, int arity, uint64_t flags, KeySpec key,
                           void (*run)(Call&)) {
  return {.name = name,
          .summary = "s",
          .since = "1",
          .group = "string",
          .arity = arity,
          .flags = flags,
          .keys = {key},
          .run = run};
}

constexpr CommandSpec kCommands[] = {
    Spec("await", 4, Flag::kWrite | Flag::kAwaitsPeer, OneKey(KeyUse::kRw), Await),
    Spec("read", 2, Flag::kReadOnly, OneKey(KeyUse::kRo), Read),
    Spec("alone", 1, Flag::kWorld, {}, Alone),
    Spec("multi", 1, Flag::kControlsTransaction, {}, Multi),
    Spec("exec", 1, Flag::kControlsTransaction | Flag::kRunsTransaction, {}, Exec),
};
static_assert(Valid(kCommands));

class PeerWaitTest : public DispatchTest, public Bystanders {
 protected:
  PeerWaitTest() : DispatchTest(kCommands) {
    dispatcher_->long_commands().SetBystanders(*this);
    EXPECT_EQ(pipe2(pipe_, O_NONBLOCK | O_CLOEXEC), 0);
  }
  ~PeerWaitTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }

  void Serve(const TurnWait& wait) override {
    waits_.push_back(wait);
    if (turns_.empty()) return Answer();
    const std::function<void()> turn = std::move(turns_.front());
    turns_.pop_front();
    turn();
  }
  bool OthersCaughtUp(Session&) override { return true; }
  void LongCommandEnded() override { ++ended_; }

  void Answer() { EXPECT_EQ(write(pipe_[1], "x", 1), 1); }
  std::vector<std::string> Waiting(const std::string& key, const std::string& millis = "60000") {
    return {"await", key, std::to_string(pipe_[0]), millis};
  }
  // What becomes of a request of another client, in a turn.
  Dispatcher::Outcome Other(const std::vector<std::string>& words) {
    Batch batch;
    for (const std::string& word : words) batch.arguments.push_back(word);
    dispatcher_->preparer().Prepare(batch, second_, 0);
    return dispatcher_->Execute(second_, batch, batch.requests[0]);
  }

  int pipe_[2];
  std::deque<std::function<void()>> turns_;
  std::vector<TurnWait> waits_;
  int ended_ = 0;
  Session second_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

TEST_F(PeerWaitTest, WhatIsThereAlreadyCostsNoTurn) {
  Answer();
  EXPECT_EQ(Run(Waiting("k")), "+ready\r\n");
  EXPECT_TRUE(waits_.empty());
  EXPECT_EQ(ended_, 0);
}

TEST_F(PeerWaitTest, OthersHaveTurnsUntilTheAnswerComes) {
  using Outcome = Dispatcher::Outcome;
  turns_.push_back([this] {
    EXPECT_EQ(Other({"read", "other"}), Outcome::kDone);
    // The key itself, the world, and another wait are put off.
    EXPECT_EQ(Other({"read", "k"}), Outcome::kPostponed);
    EXPECT_EQ(Other({"alone"}), Outcome::kPostponed);
    EXPECT_EQ(Other(Waiting("third")), Outcome::kPostponed);
    EXPECT_FALSE(dispatcher_->long_commands().WorldIsFree());
    EXPECT_EQ(services_.peer_waits.load(), 1u);
    EXPECT_EQ(services_.long_commands.load(), 1u);
  });
  EXPECT_EQ(Run(Waiting("k")), "+ready\r\n");
  ASSERT_EQ(waits_.size(), 2u);
  EXPECT_EQ(waits_[0].fd, pipe_[0]);
  EXPECT_GT(waits_[0].at_most, 50 * kNanosPerSecond);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(services_.peer_waits.load(), 0u);
  EXPECT_EQ(services_.long_commands.load(), 0u);
  EXPECT_TRUE(dispatcher_->long_commands().WorldIsFree());
  EXPECT_EQ(Other({"read", "k"}), Outcome::kDone);
  EXPECT_EQ(Other({"alone"}), Outcome::kDone);
}

// Others may have taken longer than the command had.
TEST_F(PeerWaitTest, AnAnswerThatHasComeCountsAlthoughTheTimeIsUp) {
  turns_.push_back([this] {
    usleep(30'000);
    Answer();
  });
  EXPECT_EQ(Run(Waiting("k", "10")), "+ready\r\n");
}

TEST_F(PeerWaitTest, ItEndsWhenTheTimeIsUp) {
  for (int i = 0; i < 100; ++i) turns_.push_back([] { usleep(1000); });
  EXPECT_EQ(Run(Waiting("k", "20")), "+timed out\r\n");
  EXPECT_FALSE(waits_.empty());
  EXPECT_EQ(services_.peer_waits.load(), 0u);
}

// No request waits for its lock without end, however often it was postponed.
TEST_F(PeerWaitTest, NobodyLosesPatience) {
  for (int i = 0; i < 20; ++i) {
    turns_.push_back([this] {
      EXPECT_EQ(Other({"read", "k"}), Dispatcher::Outcome::kPostponed);
      EXPECT_FALSE(dispatcher_->long_commands().Patient(second_));
    });
  }
  EXPECT_EQ(Run(Waiting("k")), "+ready\r\n");
}

TEST_F(PeerWaitTest, ATransactionGivesNoTurns) {
  EXPECT_EQ(Run({"multi"}), "+OK\r\n");
  EXPECT_EQ(Run(Waiting("k", "20")), "+QUEUED\r\n");
  EXPECT_EQ(Run({"exec"}), "*1\r\n+timed out\r\n");
  EXPECT_TRUE(waits_.empty());
  EXPECT_EQ(ended_, 1);  // those whom other cores have put off are told
  EXPECT_EQ(services_.long_commands.load(), 0u);
}

}  // namespace
}  // namespace cinnabar::dispatch
