#include "server/name_lookup.h"

#include <gtest/gtest.h>

#include <thread>

namespace cinnabar::server {
namespace {

std::atomic<int> asked{0};
std::atomic<bool> released{false};

Result<std::string> Good(const std::string& host) {
  ++asked;
  return host + " is 10.0.0.1";
}

Result<std::string> Bad(const std::string& host) {
  ++asked;
  return Fail("no " + host);
}

// The first question waits until it is released, the others are answered.
Result<std::string> FirstIsSlow(const std::string&) {
  if (asked.fetch_add(1) > 0) return "second";
  released.wait(false);
  return "first";
}

Result<std::string> Slow(const std::string&) {
  ++asked;
  released.wait(false);
  return "late";
}

class NameLookupTest : public ::testing::Test {
 protected:
  NameLookupTest() {
    asked = 0;
    released = false;
  }
  ~NameLookupTest() override {
    released = true;
    released.notify_all();
  }
  static Result<std::string> Answer(NameLookup& lookup, Millis now) {
    while (true) {
      if (auto answer = lookup.Take(now)) return *answer;
      std::this_thread::yield();
    }
  }
};

TEST_F(NameLookupTest, AnswersOnce) {
  NameLookup lookup(Good);
  EXPECT_FALSE(lookup.Take(0).has_value());
  lookup.Begin("a", 0);
  EXPECT_EQ(Answer(lookup, 0), "a is 10.0.0.1");
  EXPECT_FALSE(lookup.Take(0).has_value());
  EXPECT_EQ(asked, 1);
}

TEST_F(NameLookupTest, TellsAnError) {
  NameLookup lookup(Bad);
  lookup.Begin("a", 0);
  const Result<std::string> answer = Answer(lookup, 0);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().message, "no a");
}

TEST_F(NameLookupTest, AsksAgainWhenThereIsNoAnswer) {
  NameLookup lookup(FirstIsSlow);
  lookup.Begin("a", 0);
  while (asked == 0) std::this_thread::yield();
  EXPECT_FALSE(lookup.Take(2000).has_value());
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(Answer(lookup, 2001), "second");
}

TEST_F(NameLookupTest, DoesNotAskWithoutEnd) {
  NameLookup lookup(Slow);
  lookup.Begin("a", 0);
  for (Millis now = 0; now < 100'000; now += 1000) EXPECT_FALSE(lookup.Take(now).has_value());
  while (asked < 8) std::this_thread::yield();
  EXPECT_FALSE(lookup.Take(200'000).has_value());
  EXPECT_EQ(asked, 8);
}

TEST_F(NameLookupTest, WhatWasAskedBeforeIsNotAnswered) {
  NameLookup lookup(FirstIsSlow);
  lookup.Begin("a", 0);
  while (asked == 0) std::this_thread::yield();
  lookup.Begin("b", 0);
  EXPECT_EQ(Answer(lookup, 0), "second");
  lookup.Begin("c", 0);
  lookup.Forget();
  EXPECT_FALSE(lookup.Take(0).has_value());
}

TEST(NumericAddress, IsToldFromAName) {
  EXPECT_TRUE(IsNumericAddress("127.0.0.1"));
  EXPECT_TRUE(IsNumericAddress("fe80::1"));
  EXPECT_FALSE(IsNumericAddress("localhost"));
  EXPECT_FALSE(IsNumericAddress("127.0.0"));
  EXPECT_FALSE(IsNumericAddress(""));
}

}  // namespace
}  // namespace cinnabar::server
