#include "server/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace cinnabar::server {
namespace {

using When = Mailbox::When;
using Handled = Mailbox::Handled;

class MailboxTest : public testing::Test {
 protected:
  bool Post(char name) {
    return box_.Post([this, name] { done_ += name; });
  }
  bool PostBetween(char name, const bool* ready = nullptr) {
    return box_.PostBetween([this, name, ready] {
      if (ready != nullptr && !*ready) return Handled::kLater;
      done_ += name;
      return Handled::kYes;
    });
  }
  std::string Drain(When when) {
    box_.Drain(when);
    return std::exchange(done_, {});
  }

  Mailbox box_;
  std::string done_;
};

TEST_F(MailboxTest, DoesWorkInOrderAndOnce) {
  EXPECT_EQ(Drain(When::kBetweenCommands), "");
  Post('a');
  PostBetween('b');
  Post('c');
  EXPECT_EQ(Drain(When::kBetweenCommands), "abc");
  EXPECT_EQ(Drain(When::kBetweenCommands), "");
}

TEST_F(MailboxTest, TheFirstHasToWakeTheOwner) {
  EXPECT_TRUE(Post('a'));
  EXPECT_FALSE(Post('b'));
  EXPECT_FALSE(PostBetween('c'));
  Drain(When::kBetweenCommands);
  EXPECT_TRUE(PostBetween('d'));
}

TEST_F(MailboxTest, DuringACommandOnlyWhatTakesNoLockIsDone) {
  Post('a');
  PostBetween('b');
  Post('c');
  PostBetween('d');
  EXPECT_EQ(Drain(When::kDuringCommand), "bd");
  Post('e');
  EXPECT_EQ(Drain(When::kDuringCommand), "");
  EXPECT_EQ(Drain(When::kBetweenCommands), "ace") << "what was kept comes first";
}

TEST_F(MailboxTest, WhatCannotBeDoneYetIsTriedAgainInItsPlace) {
  bool ready = false;
  PostBetween('a', &ready);
  PostBetween('b');
  EXPECT_EQ(Drain(When::kDuringCommand), "b");
  Post('c');
  EXPECT_EQ(Drain(When::kDuringCommand), "");
  ready = true;
  EXPECT_EQ(Drain(When::kBetweenCommands), "ac");
}

// The owner must hear of it once it sleeps again, although something was kept.
TEST_F(MailboxTest, WhatIsKeptDoesNotCountAsAWakeUp) {
  Post('a');
  EXPECT_EQ(Drain(When::kDuringCommand), "");
  EXPECT_TRUE(Post('b'));
}

TEST_F(MailboxTest, WorkThatPostsIsNotLost) {
  box_.Post([this] { Post('x'); });
  EXPECT_EQ(Drain(When::kBetweenCommands), "");
  EXPECT_EQ(Drain(When::kBetweenCommands), "x");
}

TEST_F(MailboxTest, WorkThatDrainsKeepsTheOrder) {
  box_.PostBetween([this] {
    box_.Drain(When::kDuringCommand);
    done_ += 'o';
    return Handled::kYes;
  });
  Post('a');
  EXPECT_EQ(Drain(When::kBetweenCommands), "oa");
}

TEST_F(MailboxTest, ManyThreadsLoseNothing) {
  constexpr int kThreads = 4, kEach = 2000;
  std::atomic<int> wakes{0};
  std::vector<int> next(kThreads, 0);
  int done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const bool first = box_.Post([&, t, i] {
          EXPECT_EQ(next[static_cast<size_t>(t)]++, i) << "of thread " << t;
          ++done;
        });
        if (first) {
          wakes.fetch_add(1);
          wakes.notify_one();
        }
      }
    });
  }
  for (int seen = 0; done < kThreads * kEach;) {
    wakes.wait(seen);
    seen = wakes.load();
    box_.Drain(When::kBetweenCommands);
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cinnabar::server
