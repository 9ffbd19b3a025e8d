// A command that waits for other cores has not run: nobody sees a trace of it until it answers.
#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

void FindNobody(Call& call) {
  if (!call.AfterOthers()) return;
  call.reply().Integer(0);
}

void List(Call& call) {
  call.reply().Simple("listed");
}

void Open(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}

void RunAll(Call& call) {
  call.dispatcher().RunQueued(call.session());
}

constexpr CommandSpec Spec(std::string_view name, uint64_t flags, void (*run)(Call&)) {
  return {.name = name,
          .summary = "s",
          .since = "1",
          .group = "string",
          .arity = 1,
          .flags = flags,
          .keys = {},
          .run = run};
}

constexpr CommandSpec kCommands[] = {
    Spec("nobody", Flag::kNone, FindNobody),
    Spec("list", Flag::kAfterOthers | Flag::kWorld, List),
    Spec("open", Flag::kControlsTransaction, Open),
    Spec("run", Flag::kControlsTransaction | Flag::kRunsTransaction, RunAll),
};
static_assert(Valid(kCommands));

class AfterOthersTest : public DispatchTest, public Bystanders {
 protected:
  AfterOthersTest() : DispatchTest(kCommands) { dispatcher_->long_commands().SetBystanders(*this); }

  void Serve(const TurnWait&) override {}
  void LongCommandEnded() override {}
  bool OthersCaughtUp(Session&) override {
    ++asked_;
    return caught_up_;
  }

  int asked_ = 0;
  bool caught_up_ = false;
};

TEST_F(AfterOthersTest, ItIsPostponedAndRunsAgain) {
  EXPECT_EQ(Execute(session_, {"nobody"}), Dispatcher::Outcome::kPostponed);
  EXPECT_EQ(Execute(session_, {"nobody"}), Dispatcher::Outcome::kPostponed);
  EXPECT_EQ(Take(session_.output), "");
  EXPECT_EQ(dispatcher_->telemetry().counters().commands.Get(), 0u);
  EXPECT_EQ(session_.commands, 0u);
  caught_up_ = true;
  EXPECT_EQ(Run({"nobody"}), ":0\r\n");
  EXPECT_EQ(dispatcher_->telemetry().counters().commands.Get(), 1u);
  EXPECT_EQ(asked_, 3);
}

TEST_F(AfterOthersTest, TheNextCommandKnowsNothingOfIt) {
  Execute(session_, {"nobody"});
  Session other(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  EXPECT_EQ(Run(other, {"open"}), "+OK\r\n");
}

TEST_F(AfterOthersTest, AFlaggedCommandWaitsBeforeItStopsTheWorld) {
  EXPECT_EQ(Execute(session_, {"list"}), Dispatcher::Outcome::kPostponed);
  caught_up_ = true;
  EXPECT_EQ(Run({"list"}), "+listed\r\n");
}

TEST_F(AfterOthersTest, ATransactionDoesNotWait) {
  Run({"open"});
  EXPECT_EQ(Run({"nobody"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"list"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"run"}), "*2\r\n:0\r\n+listed\r\n");
  EXPECT_EQ(asked_, 0);
}

TEST_F(AfterOthersTest, SilencedRepliesStaySilent) {
  session_.reply_mode = ReplyMode::kSkipNext;
  EXPECT_EQ(Execute(session_, {"nobody"}), Dispatcher::Outcome::kPostponed);
  EXPECT_EQ(session_.reply_mode, ReplyMode::kSkipNext);
  caught_up_ = true;
  session_.reply_mode = ReplyMode::kSkipping;
  EXPECT_EQ(Run({"nobody"}), "");
  EXPECT_EQ(Run({"nobody"}), ":0\r\n");
}

}  // namespace
}  // namespace cinnabar::dispatch
