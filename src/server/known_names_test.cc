#include "server/known_names.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace cinnabar::server {
namespace {

constexpr Millis kLong = 60'000;
constexpr Millis kLater = 2000;
constexpr Millis kBrief = 50;

std::atomic<int> asked{0};
std::atomic<int> stalled{0};
std::atomic<bool> released{false};
std::atomic<bool> gone{false};

// "10.0.0.N" for the Nth question, until nobody knows the name any more.
Result<std::string> Counting(const std::string& host) {
  const int number = ++asked;
  if (gone) return Fail("no " + host);
  return "10.0.0." + std::to_string(number);
}

// Only the first answer is quick.
Result<std::string> Stalling(const std::string& host) {
  ++stalled;
  if (asked.load() > 0) released.wait(false);
  return Counting(host);
}

class KnownNamesTest : public ::testing::Test {
 protected:
  KnownNamesTest() {
    asked = stalled = 0;
    released = gone = false;
  }
  ~KnownNamesTest() override {
    released = true;
    released.notify_all();
  }
  // Asks until the answer is this one.
  static void Await(KnownNames& names, Millis now, const std::string& ip) {
    while (names.Find("a", now) != ip) std::this_thread::yield();
  }
};

TEST_F(KnownNamesTest, WaitsForTheFirstAnswerAndKeepsItForAWhile) {
  KnownNames names(kLong, Counting);
  EXPECT_EQ(names.Find("10.0.0.9", 0), "10.0.0.9");
  EXPECT_EQ(names.Find("a", 0), "10.0.0.1");
  EXPECT_EQ(names.Find("a", 1), "10.0.0.1");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(names.Find("a", kLater), "10.0.0.1");
  Await(names, kLater, "10.0.0.2");
  EXPECT_EQ(asked, 2);
}

TEST_F(KnownNamesTest, DoesNotWaitForLaterAnswers) {
  KnownNames names(kLong, Stalling);
  EXPECT_EQ(names.Find("a", 0), "10.0.0.1");
  EXPECT_EQ(names.Find("a", kLater), "10.0.0.1");
  EXPECT_EQ(names.Find("a", kLater + 1), "10.0.0.1");
  released = true;
  released.notify_all();
  Await(names, kLater + 2, "10.0.0.2");
}

TEST_F(KnownNamesTest, AForgottenNameKeepsItsAddress) {
  KnownNames names(kLong, Counting);
  EXPECT_EQ(names.Find("a", 0), "10.0.0.1");
  gone = true;
  EXPECT_EQ(names.Find("a", kLater), "10.0.0.1");
  // The next question is asked only when the answer to the one before was taken.
  for (Millis now = kLater; asked < 3; now += kLater) EXPECT_EQ(names.Find("a", now), "10.0.0.1");
  gone = false;
  for (Millis now = 100 * kLong; names.Find("a", now) == "10.0.0.1"; now += kLater) std::this_thread::yield();
}

TEST_F(KnownNamesTest, ANameThatNobodyKnowsIsAskedForAgain) {
  gone = true;
  KnownNames names(kLong, Counting);
  EXPECT_EQ(names.Find("a", 0), std::nullopt);
  EXPECT_EQ(names.Find("a", 1), std::nullopt);
  EXPECT_EQ(asked, 1);
  gone = false;
  Await(names, kLater, "10.0.0.2");
}

TEST_F(KnownNamesTest, NobodyWaitsAgainForAServerOfNamesThatIsSlow) {
  asked = 1;
  KnownNames names(kBrief, Stalling);
  EXPECT_EQ(names.Find("a", 0), std::nullopt);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(names.Find("b" + std::to_string(i), 1), std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(50 * kBrief));
  EXPECT_LE(stalled, 16);
  released = true;
  released.notify_all();
  for (Millis now = kLater; names.Find("c", now) == std::nullopt; now += kLater) std::this_thread::yield();
}

TEST_F(KnownNamesTest, PatienceEnds) {
  asked = 1;
  KnownNames names(1, Stalling);
  EXPECT_EQ(names.Find("a", 0), std::nullopt);
  released = true;
  released.notify_all();
  Await(names, 0, "10.0.0.2");
}

}  // namespace
}  // namespace cinnabar::server
