// A command that waits is served, whatever else happens to it at the same time.
#include "dispatch/blocking.h"

#include <thread>

#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

class UntilThere final : public Waiting {
 public:
  bool Serve(Call& call, const keyspace::Key& key) override {
    if (!call.db().FindToChange(key)) return false;
    call.reply().Simple("there");
    return true;
  }
};

void Await(Call& call) {
  const keyspace::Key key = call.key(1);
  call.Block(std::make_unique<UntilThere>(), {&key, 1}, keyspace::kNever);
}

void Put(Call& call) {
  call.db().Create(call.key(1), keyspace::StringPayload("v"));
  call.Changed(config::kNotifyString, "put", call.key(1));
  call.reply().Ok();
}

constexpr CommandSpec kCommands[] = {
    {.name = "await",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 2,
     .flags = Flag::kBlocking,
     .keys = {OneKey(KeyUse::kRo)},
     .run = Await},
    {.name = "put",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = 2,
     .flags = Flag::kWrite,
     .keys = {OneKey(KeyUse::kOw)},
     .run = Put},
};
static_assert(Valid(kCommands));

class BlockingTest : public DispatchTest {
 protected:
  BlockingTest() : DispatchTest(kCommands) {}

  Session other_{2, OutputBuffer(OutputBuffer::kFixedBytesMin)};
};

TEST_F(BlockingTest, AChangeServesWhoeverWaits) {
  EXPECT_EQ(Execute(session_, {"await", "k"}), Dispatcher::Outcome::kBlocked);
  EXPECT_EQ(Run(other_, {"put", "x"}), "+OK\r\n");
  EXPECT_FALSE(session_.blocked->done());
  EXPECT_EQ(Run(other_, {"put", "k"}), "+OK\r\n");
  ASSERT_TRUE(session_.blocked->done());
  dispatcher_->blocked().Complete(session_);
  EXPECT_EQ(Take(session_.output), "+there\r\n");
}

// Another core tries the waiter with another of its keys, which has nothing for it.
TEST_F(BlockingTest, AWaiterThatIsTriedElsewhereIsNotPassedOver) {
  EXPECT_EQ(Execute(session_, {"await", "k"}), Dispatcher::Outcome::kBlocked);
  const std::shared_ptr<BlockedCall> call = session_.blocked;
  ASSERT_TRUE(call->Take());
  std::thread elsewhere([&] {
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    call->GiveBack();
  });
  EXPECT_EQ(Run(other_, {"put", "k"}), "+OK\r\n");
  elsewhere.join();
  EXPECT_TRUE(call->done());
  dispatcher_->blocked().Abandon(session_);
}

}  // namespace
}  // namespace cinnabar::dispatch
