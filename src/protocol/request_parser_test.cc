#include "protocol/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/random.h"
#include "protocol/feed_for_test.h"

namespace cinnabar::protocol {
namespace {

using Requests = std::vector<std::vector<std::string>>;

void ExpectRequests(const std::string& input, const Requests& want, const std::string& rest = "") {
  const Parsed whole = FeedWhole(input);
  EXPECT_EQ(whole.requests, want) << input;
  EXPECT_EQ(whole.error, "") << input;
  EXPECT_EQ(whole.rest, rest) << input;
  EXPECT_EQ(FeedByteByByte(input), whole) << input;
}

void ExpectError(const std::string& input, const std::string& error, const ParseLimits& limits = {}) {
  EXPECT_EQ(FeedWhole(input, limits).error, "Protocol error: " + error) << input.substr(0, 100);
  EXPECT_EQ(FeedByteByByte(input, limits).error, "Protocol error: " + error) << input.substr(0, 100);
}

std::string Encode(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

TEST(RequestParser, Arrays) {
  ExpectRequests("*1\r\n$4\r\nPING\r\n", {{"PING"}});
  ExpectRequests("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", {{"GET", ""}});
  ExpectRequests("*1\r\n$4\r\n\r\n\r\n\r\n*1\r\n$1\r\nx\r\n", {{"\r\n\r\n"}, {"x"}});
  ExpectRequests("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\n", {{"PING"}}, "*2\r\n$3\r\nGET\r\n$1\r\n");
}

TEST(RequestParser, EmptyRequestsAreSkipped) {
  ExpectRequests("*0\r\n*-1\r\n*-10\r\n\r\n\r\n*1\r\n$1\r\nx\r\n", {{"x"}});
}

TEST(RequestParser, LargeRequestsSurviveEverySplit) {
  std::vector<std::string> words(200, "word");
  words.push_back(std::string(5000, '\n'));
  ExpectRequests(Encode(words) + Encode({"x"}), {words, {"x"}});
}

TEST(RequestParser, InlineWordsAndQuotes) {
  ExpectRequests("PING\r\nGET  key \n", {{"PING"}, {"GET", "key"}});
  ExpectRequests("SET k \"a\\x41\\n\\\"\\\\ b\"\r\n", {{"SET", "k", "aA\n\"\\ b"}});
  ExpectRequests("SET k 'a\\'\\n'\r\n", {{"SET", "k", "a'\\n"}});
  ExpectRequests("SET k \"\"\r\n", {{"SET", "k", ""}});
  ExpectRequests("a\"b c\"\r\n", {{"ab c"}});
  ExpectRequests("\"\\x4\" \"\\xzz\"\r\n", {{"x4", "xzz"}});
}

TEST(RequestParser, InlineErrors) {
  ExpectError("SET k \"abc\r\n", "unbalanced quotes in request");
  ExpectError("SET k 'abc\r\n", "unbalanced quotes in request");
  ExpectError("\"foo\"bar\r\n", "unbalanced quotes in request");
  ExpectError(std::string(65 * 1024, 'a'), "too big inline request");
}

// TLS, for one, on a port that does not speak it.
TEST(RequestParser, LinesWithNulBytesAreNeverWhole) {
  using namespace std::string_literals;
  for (const std::string& input :
       {"\0"s, "PI\0NG\r\n"s, "\0\r\nPING\r\n"s, "ECHO \"a\0b\"\r\n"s, "\x16\x03\x01\0\xf1\r\n\r\nPING\r\n"s,
        "*1\0\r\n$4\r\nPING\r\n"s, "*1\r\n$4\0\r\nPING\r\n"s, "*1\r\n\0$4\r\nPING\r\n"s}) {
    ExpectRequests(input, {}, input);
  }
  ExpectRequests("PING\r\n\0\nPING\r\n"s, {{"PING"}}, "\0\nPING\r\n"s);
  ExpectError("\0"s + std::string(65 * 1024, '\n'), "too big inline request");
  ExpectError("*1\0"s + std::string(65 * 1024, '\r'), "too big mbulk count string");
  ExpectError("*1\r\n$1\0"s + std::string(65 * 1024, '\r'), "too big bulk count string");
  // Arguments may hold anything.
  ExpectRequests(Encode({"SET", "\0"s, "\r\n\0"s}), {{"SET", "\0"s, "\r\n\0"s}});
}

TEST(RequestParser, LengthErrors) {
  ExpectError("*3000000000\r\n", "invalid multibulk length");
  ExpectError("*blub\r\n", "invalid multibulk length");
  ExpectError("*1x\r\n$1\r\nx\r\n", "invalid multibulk length");
  ExpectError("*1\r\nx\r\n", "expected '$', got 'x'");
  ExpectError("*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'");
  ExpectError("*1\r\n$-1\r\n", "invalid bulk length");
  ExpectError("*1\r\n$blub\r\n", "invalid bulk length");
  ExpectError("*1\r\n$2000000000\r\n", "invalid bulk length");
  ExpectError("*1\r\n$11\r\n", "invalid bulk length", {.bulk_bytes_max = 10});
  ExpectError("*" + std::string(65 * 1024, '1'), "too big mbulk count string");
  ExpectError("*1\r\n$" + std::string(65 * 1024, '1'), "too big bulk count string");
}

TEST(RequestParser, StrangersGetLess) {
  const ParseLimits stranger{.authenticated = false};
  EXPECT_EQ(FeedWhole(Encode({"AUTH", "secret"}), stranger).requests.size(), 1u);
  ExpectError("*11\r\n", "unauthenticated multibulk length", stranger);
  ExpectError("*1\r\n$16385\r\n", "unauthenticated bulk length", stranger);
}

TEST(RequestParser, SaysHowMuchItWants) {
  RequestParser parser;
  FlatVector<std::string_view> arguments;
  std::deque<std::string> storage;
  const std::string_view start = "*2\r\n$3\r\nSET\r\n$1000\r\nab";
  ASSERT_EQ(parser.Parse(start, {}, {arguments, storage}), RequestParser::Outcome::kIncomplete);
  EXPECT_TRUE(parser.in_request());
  EXPECT_EQ(parser.wanted_bytes(), start.size() - 2 + 1002);
  EXPECT_GT(parser.partial_argument_bytes(), 0u);
  EXPECT_TRUE(arguments.empty());
  parser.Reset();
  EXPECT_FALSE(parser.in_request());
  EXPECT_EQ(parser.Parse("*1\r\n$1\r\nx\r\n", {}, {arguments, storage}), RequestParser::Outcome::kComplete);
}

TEST(RequestParser, KnowsCanonicalRequests) {
  const auto canonical = [](std::string_view input) {
    RequestParser parser;
    FlatVector<std::string_view> arguments;
    std::deque<std::string> storage;
    EXPECT_EQ(parser.Parse(input, {}, {arguments, storage}), RequestParser::Outcome::kComplete);
    return parser.canonical();
  };
  EXPECT_TRUE(canonical("*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n"));
  EXPECT_TRUE(canonical("*2\r\n$3\r\nGET\r\n$0\r\n\r\nmore"));
  // All of these are understood.
  EXPECT_FALSE(canonical("*2\r\n$3\r\nGET\r\n$1\r\nk?\n"));
  EXPECT_FALSE(canonical("*2\r\n$3\r\nGET??$1\r\nk\r\n"));
  EXPECT_FALSE(canonical("*2\r?$3\r\nGET\r\n$1\r\nk\r\n"));
  EXPECT_FALSE(canonical("*2\r\n$3\r?GET\r\n$1\r\nk\r\n"));
  EXPECT_FALSE(canonical("GET k\r\n"));
}

// A random stream, now and then damaged, gives the same however it is cut.
TEST(RequestParser, SplitsChangeNothing) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string stream;
    for (uint64_t i = 0; i <= random.Uniform(6); ++i) {
      std::vector<std::string> words;
      for (uint64_t w = 0; w <= random.Uniform(80); ++w) {
        words.emplace_back(random.Uniform(random.OneIn(20) ? 20000 : 12), static_cast<char>(random.Next()));
      }
      stream += random.OneIn(4) ? "GET 'a b' \"\\x00\" c\r\n" : Encode(words);
    }
    if (random.OneIn(3)) stream[random.Uniform(stream.size())] = "*$\r\n0-a"[random.Uniform(7)];
    const ParseLimits limits{.authenticated = !random.OneIn(5)};
    const Parsed whole = FeedWhole(stream, limits);
    const Parsed pieces = Feed(stream, limits, [&](size_t left) {
      return 1 + random.Uniform(std::min<size_t>(left, 1 + random.Uniform(4000)));
    });
    ASSERT_EQ(pieces.requests, whole.requests) << "round " << round;
    ASSERT_EQ(pieces.error, whole.error) << "round " << round;
    ASSERT_EQ(pieces.rest, whole.rest) << "round " << round;
  }
}

}  // namespace
}  // namespace cinnabar::protocol
