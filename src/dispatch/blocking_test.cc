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

// Takes the key, and makes another in its place if it has the name of one.
class UntilTaken final : public Waiting {
 public:
  explicit UntilTaken(std::string_view target) : target_(target) {}
  bool Serve(Call& call, const keyspace::Key& key) override {
    const keyspace::EntryRef entry = call.db().FindToChange(key);
    if (!entry) return false;
    call.db().Erase(key, entry);
    if (!target_.empty()) {
      const keyspace::Key target = call.core().keyspace.KeyOf(target_);
      call.db().Create(target, keyspace::StringPayload("v"));
      call.Changed(config::kNotifyString, "handed on", target);
    }
    call.Propagate({"taken", key.bytes});
    call.reply().Simple("taken");
    return true;
  }
  std::string_view also() const override { return target_; }

 private:
  std::string target_;
};

void TakeKey(Call& call) {
  const keyspace::Key key = call.key(1);
  const std::string_view target = call.argc() > 2 ? call.arg(2) : "";
  call.Block(std::make_unique<UntilTaken>(target), {&key, 1}, keyspace::kNever);
}

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
    {.name = "take",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = -2,
     .flags = Flag::kWrite | Flag::kBlocking,
     .keys = {KeyRange(KeyUse::kRw, 1, -1)},
     .run = TakeKey},
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

// What is served is known of the shard of each key that it has changed, however long the chain.
TEST_F(BlockingTest, ReadersOfAKeyWaitForWhatAChainOfWaitersHasWritten) {
  const auto offset_of = [this](std::string_view name) {
    return keyspace_.journal_offset(keyspace::Keyspace::ShardOf(keyspace_.HashOf(name)));
  };
  services_.alarms |= Alarm::kHoldReplies;
  Session last(3, OutputBuffer(OutputBuffer::kFixedBytesMin));
  ASSERT_EQ(Execute(session_, {"take", "a", "b"}), Dispatcher::Outcome::kBlocked);
  ASSERT_EQ(Execute(last, {"take", "b"}), Dispatcher::Outcome::kBlocked);
  EXPECT_EQ(Run(other_, {"put", "a"}), "+OK\r\n");
  ASSERT_TRUE(session_.blocked->done());
  ASSERT_TRUE(last.blocked->done());
  EXPECT_EQ(offset_of("b"), journal_.offset());
  dispatcher_->blocked().Complete(session_);
  dispatcher_->blocked().Complete(last);
  EXPECT_EQ(last.hold_until, journal_.offset());
  EXPECT_EQ(Journal(), "SELECT 0 | put a | taken a | taken b");
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
