#include "server/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace cinnabar::server {
namespace {

std::string Encode(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

struct Reading {
  size_t reads = 0;
  size_t least_room = SIZE_MAX;  // of any read but the first
  size_t moves = 0;              // of the buffer to another capacity
};

// Reads one request as a core does: its first bytes into a scratch, the rest into the buffer, from a socket
// that never keeps anybody waiting.
Reading Read(InputBuffer& buffer, std::string_view bytes) {
  Reading result;
  protocol::RequestParser parser;
  FlatVector<std::string_view> arguments;
  std::deque<std::string> storage;
  size_t capacity = buffer.capacity();
  const auto moved = [&] {
    if (std::exchange(capacity, buffer.capacity()) != buffer.capacity()) ++result.moves;
  };
  const size_t first = std::min(bytes.size(), InputBuffer::kRoomMin);
  ++result.reads;
  auto outcome = parser.Parse(bytes.substr(0, first), {}, {arguments, storage});
  if (outcome == protocol::RequestParser::Outcome::kIncomplete) {
    buffer.Append(bytes.substr(0, first), parser.wanted_bytes());
    moved();
  }
  bytes.remove_prefix(first);
  while (outcome == protocol::RequestParser::Outcome::kIncomplete && !bytes.empty()) {
    buffer.MakeRoom(parser.wanted_bytes());
    moved();
    result.least_room = std::min(result.least_room, buffer.room());
    const size_t got = std::min(bytes.size(), buffer.room());
    std::memcpy(buffer.tail(), bytes.data(), got);
    buffer.Grown(got);
    bytes.remove_prefix(got);
    ++result.reads;
    outcome = parser.Parse(buffer.view(), {}, {arguments, storage});
  }
  EXPECT_EQ(outcome, protocol::RequestParser::Outcome::kComplete);
  buffer.Consume(buffer.size());
  return result;
}

TEST(InputBuffer, ManySmallArgumentsAreReadInLargeSteps) {
  std::vector<std::string> words = {"SADD", "key"};
  for (int i = 0; i < 50'000; ++i) words.push_back("member:" + std::to_string(i));
  const std::string request = Encode(words);
  ASSERT_GT(request.size(), 900'000u);
  InputBuffer buffer;
  const Reading fresh = Read(buffer, request);
  EXPECT_GE(fresh.least_room, InputBuffer::kRoomMin);
  EXPECT_LE(fresh.reads, 9u);  // 16 kB twice, then twice as much each time
  EXPECT_LE(fresh.moves, 8u);
  const Reading warm = Read(buffer, request);
  EXPECT_LE(warm.reads, 2u);
  EXPECT_EQ(warm.moves, 0u);
  buffer.Shrink();
  const Reading idle = Read(buffer, request);
  EXPECT_GE(idle.least_room, InputBuffer::kRoomMin);
  EXPECT_LE(idle.reads, 9u);
}

TEST(InputBuffer, ALargeArgumentGetsItsRoomAtOnce) {
  const std::string request = Encode({"SET", "key", std::string(64 * 1024 * 1024, 'v')});
  InputBuffer buffer;
  const Reading reading = Read(buffer, request);
  EXPECT_EQ(reading.moves, 1u);
  EXPECT_LE(buffer.capacity(), request.size() + InputBuffer::kRoomMin);
  EXPECT_EQ(reading.reads, 2u);
}

TEST(InputBuffer, LargeArgumentsOneAfterAnotherAreMovedRarely) {
  std::vector<std::string> words = {"MSET"};
  for (int i = 0; i < 2'000; ++i) words.push_back(std::string(40'000, 'v'));
  InputBuffer buffer;
  const Reading reading = Read(buffer, Encode(words));
  EXPECT_GE(reading.least_room, InputBuffer::kRoomMin);
  EXPECT_LE(reading.moves, 13u);
  EXPECT_LE(reading.reads, 15u);
}

// A value that fills the buffer is lent instead of being copied; what comes behind it moves to new memory.
TEST(InputBuffer, LendsWhatFillsIt) {
  const std::string value(1 << 20, 'v');
  InputBuffer buffer;
  buffer.Append("head" + value + "tail", 4 + value.size() + 4);
  const std::string_view part = buffer.view().substr(4, value.size());
  SharedBytes lent = buffer.Lend(part);
  ASSERT_TRUE(lent);
  EXPECT_EQ(lent.view().data(), part.data()) << "where it was";
  buffer.Consume(4 + value.size());
  EXPECT_EQ(buffer.view(), "tail");
  EXPECT_GE(buffer.capacity(), value.size()) << "the next value may be as large";
  buffer.Append("more", 0);
  EXPECT_EQ(buffer.view(), "tailmore");
  EXPECT_EQ(lent.view(), value);
  EXPECT_FALSE(lent.unique()) << "it must not be changed in place";
}

TEST(InputBuffer, LendsNothingThatWouldKeepMuchMore) {
  InputBuffer buffer;
  buffer.Append(std::string(1 << 20, 'a'), 0);
  EXPECT_FALSE(buffer.Lend(buffer.view().substr(0, 1 << 19))) << "half of the memory would be for nothing";
  const std::string elsewhere(1 << 20, 'a');
  EXPECT_FALSE(buffer.Lend(elsewhere));
}

// The last bytes of a request whose room is reserved are waited for without reserving more.
TEST(InputBuffer, DoesNotGrowForTheLastBytesOfALargeArgument) {
  InputBuffer buffer;
  const size_t wanted = 8 * 1024 * 1024;
  buffer.Append("start", wanted);
  const size_t capacity = buffer.capacity();
  while (buffer.size() < wanted - 1) {
    buffer.MakeRoom(wanted);
    ASSERT_EQ(buffer.capacity(), capacity);
    ASSERT_GE(buffer.room(), InputBuffer::kRoomMin);
    const size_t got = std::min(buffer.room(), wanted - 1 - buffer.size());
    std::memset(buffer.tail(), 'x', got);
    buffer.Grown(got);
  }
}

TEST(InputBuffer, ShrinksToWhatItHolds) {
  InputBuffer buffer;
  buffer.Append("abc", 1'000'000);
  EXPECT_GE(buffer.room(), 999'997u);
  buffer.Shrink();
  EXPECT_EQ(buffer.view(), "abc");
  EXPECT_EQ(buffer.room(), 0u);
  buffer.Consume(3);
  buffer.Shrink();
  EXPECT_EQ(buffer.capacity(), 0u);
}

// The picture in connection.h, as a list.
TEST(ConnectionState, FollowsThePicture) {
  using enum ConnectionState;
  constexpr ConnectionState kAll[] = {kOpen, kInTurn, kPostponed, kBlocked, kSuspended, kClosing};
  const std::vector<std::pair<ConnectionState, ConnectionState>> legal = {
      {kOpen, kInTurn},      {kInTurn, kOpen},       {kInTurn, kPostponed}, {kInTurn, kBlocked},
      {kInTurn, kSuspended}, {kPostponed, kOpen},    {kBlocked, kOpen},     {kSuspended, kOpen},
      {kOpen, kClosing},     {kPostponed, kClosing}, {kBlocked, kClosing},  {kSuspended, kClosing}};
  for (ConnectionState from : kAll) {
    for (ConnectionState to : kAll) {
      const bool expected = std::find(legal.begin(), legal.end(), std::pair(from, to)) != legal.end();
      EXPECT_EQ(MayFollow(from, to), expected) << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

// Not connected to anything.
class NoTransport final : public net::Transport {
 public:
  net::Transfer Read(std::span<char>) override { return {.outcome = net::Transfer::Outcome::kEnded}; }
  net::Transfer Write(std::span<const iovec>) override {
    return {.outcome = net::Transfer::Outcome::kFailed};
  }
  void Shutdown() override {}
  int fd() const override { return -1; }
  void set_unsent(bool unsent) { unsent_ = unsent; }
};

class ConnectionTest : public testing::Test {
 protected:
  NoTransport* transport_ = new NoTransport;  // the connection's
  Connection connection_{1, OutputBuffer(OutputBuffer::kFixedBytesMin),
                         std::unique_ptr<net::Transport>(transport_)};
};

TEST_F(ConnectionTest, StandsInEachPlaceOnce) {
  EXPECT_TRUE(connection_.Enter(Place::kHeld));
  EXPECT_FALSE(connection_.Enter(Place::kHeld));
  EXPECT_TRUE(connection_.Enter(Place::kRunnable));
  EXPECT_FALSE(connection_.StandsIn(Place::kAttended));
  EXPECT_TRUE(connection_.Leave(Place::kHeld));
  EXPECT_FALSE(connection_.Leave(Place::kHeld));
  EXPECT_TRUE(connection_.StandsIn(Place::kRunnable));
}

TEST_F(ConnectionTest, TheStateAfterATurnIsWhatTheSessionSays) {
  EXPECT_EQ(connection_.AfterTurn(), ConnectionState::kOpen);
  connection_.session.suspended = true;
  EXPECT_EQ(connection_.AfterTurn(), ConnectionState::kSuspended);
  connection_.session.suspended = false;
  connection_.session.postponed = true;
  EXPECT_EQ(connection_.AfterTurn(), ConnectionState::kPostponed);
}

TEST_F(ConnectionTest, IsConsistentWhenItReadsInTheOpenStateOnly) {
  EXPECT_TRUE(connection_.Consistent());
  connection_.wanted = 0;
  connection_.reported = 0;
  EXPECT_FALSE(connection_.Consistent()) << "open, and nobody reads";
  connection_.session.postponed = true;
  EXPECT_FALSE(connection_.Consistent()) << "the session says otherwise";
  connection_.Become(ConnectionState::kInTurn);
  connection_.Become(connection_.AfterTurn());
  EXPECT_TRUE(connection_.Consistent());
  connection_.wanted = connection_.reported = net::kReadable;
  EXPECT_FALSE(connection_.Consistent()) << "postponed, and reads";
  connection_.session.waits_for_others = true;
  EXPECT_TRUE(connection_.Consistent()) << "postponed for a moment";
  connection_.session.waits_for_others = false;
  connection_.wanted = connection_.reported = net::kWritable;
  EXPECT_TRUE(connection_.Consistent()) << "output is independent";
  connection_.wanted = connection_.reported = 0;
  transport_->set_unsent(true);
  EXPECT_FALSE(connection_.Consistent()) << "the transport needs what nobody waits for";
}

}  // namespace
}  // namespace cinnabar::server
