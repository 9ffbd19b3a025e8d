#include "protocol/reply_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/numbers.h"
#include "base/random.h"
#include "protocol/feed_replies_for_test.h"

namespace cinnabar::protocol {
namespace {

using Kind = Reply::Kind;
using Limits = ReplyParser::Limits;
using Outcome = ReplyParser::Outcome;
using namespace std::string_literals;

// Limits that nothing reaches.
constexpr size_t kAny = std::numeric_limits<size_t>::max();
constexpr Limits kUnlimited{.bulk_bytes = kAny, .elements = kAny, .depth = 1000, .total_bytes = kAny};

struct Case {
  std::string input;
  std::string want;
};

void ExpectReplies(const std::string& input, const std::vector<std::string>& want,
                   const Limits& limits = {}) {
  const ParsedReplies whole = FeedRepliesWhole(input, limits);
  EXPECT_EQ(whole.replies, want) << Quoted(input);
  EXPECT_EQ(whole.problem, "") << Quoted(input);
  EXPECT_EQ(whole.buffered, 0u) << Quoted(input);
  EXPECT_EQ(FeedRepliesByteByByte(input, limits), whole) << Quoted(input);
}

// A good reply before the damage is still given out, and one behind it is not.
void ExpectProblem(const std::string& input, const std::string& problem, const Limits& limits = {}) {
  const ParsedReplies whole = FeedRepliesWhole(":1\r\n" + input + ":2\r\n", limits);
  EXPECT_EQ(whole.problem, problem) << Quoted(input.substr(0, 100));
  EXPECT_EQ(whole.replies, std::vector<std::string>{"1"}) << Quoted(input.substr(0, 100));
  EXPECT_EQ(whole.buffered, 0u);
  EXPECT_EQ(FeedRepliesByteByByte(":1\r\n" + input + ":2\r\n", limits), whole)
      << Quoted(input.substr(0, 100));
}

// Nothing is wrong with `input`, but it is not a whole reply.
void ExpectCutOff(const std::string& input, const Limits& limits = {}) {
  const ParsedReplies whole = FeedRepliesWhole(input, limits);
  EXPECT_TRUE(whole.replies.empty()) << Quoted(input);
  EXPECT_EQ(whole.problem, "") << Quoted(input);
  EXPECT_EQ(whole.buffered, input.size()) << Quoted(input);
  EXPECT_EQ(FeedRepliesByteByByte(input, limits), whole) << Quoted(input);
}

TEST(ReplyParser, Resp2) {
  const Case kCases[] = {
      {"+OK\r\n", "+\"OK\""},
      {"+\r\n", "+\"\""},
      {"-ERR no such thing\r\n", "-\"ERR no such thing\""},
      {"-\r\n", "-\"\""},
      {":0\r\n", "0"},
      {":-7\r\n", "-7"},
      {":+7\r\n", "7"},
      {":9223372036854775807\r\n", "9223372036854775807"},
      {":-9223372036854775808\r\n", "-9223372036854775808"},
      {"$3\r\nabc\r\n", "\"abc\""},
      {"$0\r\n\r\n", "\"\""},
      {"$4\r\n\r\n\0x\r\n"s, "\"\\r\\n\\x00x\""},
      {"$-1\r\n", "nil"},
      {"*-1\r\n", "nil"},
      {"*0\r\n", "[]"},
      {"*2\r\n$1\r\na\r\n$-1\r\n", "[\"a\" nil]"},
      {"*3\r\n*0\r\n*1\r\n*-1\r\n*2\r\n:1\r\n-E\r\n", "[[] [nil] [1 -\"E\"]]"},
  };
  for (const auto& [input, want] : kCases) ExpectReplies(input, {want});
}

TEST(ReplyParser, Resp3) {
  const Case kCases[] = {
      {"_\r\n", "nil"},
      {"#t\r\n", "#t"},
      {"#f\r\n", "#f"},
      {",1.5\r\n", ",1.5"},
      {",10\r\n", ",10"},
      {",-0.001e3\r\n", ",-1"},
      {",+2E-1\r\n", ",0.2"},
      {",inf\r\n", ",inf"},
      {",-inf\r\n", ",-inf"},
      {",nan\r\n", ",nan"},
      {",-nan\r\n", ",nan"},
      {",1" + std::string(300, '0') + ".0\r\n", ",1e+300"},
      {"(3492890328409238509324850943850943825024385\r\n", "(3492890328409238509324850943850943825024385"},
      {"(-1\r\n", "(-1"},
      {"=7\r\ntxt:a\r\n\r\n", "=\"a\\r\\n\""},
      {"=4\r\nmkd:\r\n", "=\"\""},
      {"!8\r\nERR a\r\nb\r\n", "-\"ERR a\\r\\nb\""},
      {"%0\r\n", "{}"},
      {"%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n_\r\n#t\r\n", "{+\"a\" 1 +\"b\" {nil #t}}"},
      {"~0\r\n", "~[]"},
      {"~2\r\n:1\r\n~1\r\n:2\r\n", "~[1 ~[2]]"},
      {">2\r\n+invalidate\r\n_\r\n", ">[+\"invalidate\" nil]"},
      {"*1\r\n>1\r\n+subscribe\r\n", "[>[+\"subscribe\"]]"},
  };
  for (const auto& [input, want] : kCases) ExpectReplies(input, {want});
}

TEST(ReplyParser, AttributesAreDropped) {
  ExpectReplies("|1\r\n+ttl\r\n:3600\r\n:1\r\n", {"1"});
  ExpectReplies("|0\r\n|0\r\n$1\r\na\r\n", {"\"a\""});
  ExpectReplies("*2\r\n|1\r\n+a\r\n*1\r\n|1\r\n:1\r\n:2\r\n:3\r\n:4\r\n|0\r\n:5\r\n", {"[4 5]"});
  ExpectReplies("*1\r\n|1\r\n+a\r\n%1\r\n:1\r\n~0\r\n$-1\r\n", {"[nil]"});
  ExpectReplies("|1\r\n+a\r\n:1\r\n*0\r\n|1\r\n+a\r\n:1\r\n>1\r\n+x\r\n", {"[]", ">[+\"x\"]"});
  ExpectCutOff("|1\r\n+ttl\r\n:3600\r\n");
}

TEST(ReplyParser, RepliesFollowEachOther) {
  ExpectReplies("+OK\r\n>1\r\n+x\r\n*1\r\n:1\r\n$1\r\na\r\n", {"+\"OK\"", ">[+\"x\"]", "[1]", "\"a\""});
}

TEST(ReplyParser, FieldsThatDoNotBelongToTheKindAreEmpty) {
  ReplyParser parser;
  parser.Feed("|1\r\n+a\r\n$1\r\nb\r\n*1\r\n+a\r\n:1\r\n");
  Reply reply;
  ASSERT_EQ(parser.Next(reply), Outcome::kReply);
  EXPECT_TRUE(reply.IsArray(1));
  EXPECT_FALSE(reply.IsArray(2));
  EXPECT_FALSE(reply.IsText());
  EXPECT_EQ(reply.text, "");
  ASSERT_EQ(parser.Next(reply), Outcome::kReply);
  EXPECT_EQ(reply.kind, Kind::kInteger);
  EXPECT_EQ(reply.text, "");
  EXPECT_TRUE(reply.elements.empty());
  EXPECT_FALSE(reply.IsArray());
  ASSERT_EQ(parser.Next(reply), Outcome::kIncomplete);
  EXPECT_EQ(reply.integer, 1);  // left alone
}

TEST(ReplyParser, CutOff) {
  for (const char* input : {"+", "+OK", "+OK\r", ":", ":1\r", "$", "$3\r\n", "$3\r\nab", "$3\r\nabc",
                            "$3\r\nabc\r", "*1\r\n", "*2\r\n:1\r\n", "%1\r\n+a\r\n", "=9\r\nt"}) {
    ExpectCutOff(input);
  }
}

// All kinds in each other, and a reply behind.
const std::string kComposite =
    "*9\r\n+simple\r\n-ERR x\r\n:-12\r\n$5\r\na\r\nb\n\r\n|1\r\n+k\r\n~1\r\n,1.25\r\n"
    "%2\r\n+a\r\n*-1\r\n$1\r\nb\r\n=8\r\ntxt:text\r\n~2\r\n#t\r\n(123\r\n*2\r\n_\r\n*1\r\n*0\r\n"
    ">1\r\n!3\r\nE\r\n\r\n,-1e-7\r\n+OK\r\n";

TEST(ReplyParser, EveryCutGivesTheSame) {
  const ParsedReplies whole = FeedRepliesWhole(kComposite);
  const std::vector<std::string> want = {
      "[+\"simple\" -\"ERR x\" -12 \"a\\r\\nb\\n\" {+\"a\" nil \"b\" =\"text\"} ~[#t (123] [nil [[]]] "
      ">[-\"E\\r\\n\"] ,-1e-07]",
      "+\"OK\""};
  ASSERT_EQ(whole.replies, want);
  for (size_t first = 1; first < kComposite.size(); ++first) {
    for (size_t second = 1; second < kComposite.size() - first; ++second) {
      size_t cut = 0;
      const auto pieces = FeedReplies(kComposite, {}, [&](size_t left) {
        return cut == 0 ? (cut = first) : (cut == first ? ++cut, second : left);
      });
      ASSERT_EQ(pieces, whole) << first << " " << second;
    }
  }
}

TEST(ReplyParser, EveryPrefixIsCutOff) {
  const size_t first = kComposite.size() - "+OK\r\n"s.size();
  for (size_t size = 1; size < first; ++size) ExpectCutOff(kComposite.substr(0, size));
}

TEST(ReplyParser, Damage) {
  ExpectProblem("HTTP/1.1 400\r\n", "no type of reply begins with \"H\"");
  ExpectProblem("\r\n", "no type of reply begins with \"\\r\"");
  ExpectProblem("*1\r\n\0"s, "no type of reply begins with \"\\x00\"");
  ExpectProblem("+OK\n", "a line ends without \\r");
  ExpectProblem(":1\n", "a line ends without \\r");
  ExpectProblem("+a\rb\r\n", "\\r is not followed by \\n");
  ExpectProblem("+a\r\r\n", "\\r is not followed by \\n");
  for (const char* text :
       {"", "a", "1a", " 1", "01", "-", "+", "+-1", "++1", "-0", "1.0", "9223372036854775808"}) {
    ExpectProblem(":"s + text + "\r\n", "invalid integer: \"" + std::string(text) + "\"");
  }
  for (const char* text : {"", "a", "1a", " 1", "0x10", "--1", "1e", ".", "infinity", "NAN(1)", "1e999"}) {
    ExpectProblem(","s + text + "\r\n", "invalid double: \"" + std::string(text) + "\"");
  }
  for (const char* text : {"", "-", "+", "1-", "1.5", "--1", "a"}) {
    ExpectProblem("("s + text + "\r\n", "invalid big number: \"" + std::string(text) + "\"");
  }
  for (const char* text : {"", "T", "tt", "1"}) {
    ExpectProblem("#"s + text + "\r\n", "invalid boolean: \"" + std::string(text) + "\"");
  }
  ExpectProblem("_x\r\n", "a null has a value: \"x\"");
}

TEST(ReplyParser, DamagedLengths) {
  for (const char* type : {"$", "!", "="}) {
    for (const char* text : {"", "-2", "-", "x", "03", "+3", "3 ", "18446744073709551616"}) {
      ExpectProblem(std::string(type) + text + "\r\n",
                    "invalid length of a string: \"" + std::string(text) + "\"");
    }
  }
  for (const char* type : {"*", "%", "~", ">", "|"}) {
    for (const char* text : {"", "-2", "-", "x", "03", "+3", "3 ", "18446744073709551616"}) {
      ExpectProblem(std::string(type) + text + "\r\n",
                    "invalid number of elements: \"" + std::string(text) + "\"");
    }
  }
  ExpectProblem("!-1\r\n", "invalid length of a string: \"-1\"");
  ExpectProblem("=-1\r\n", "invalid length of a string: \"-1\"");
  for (const char* type : {"%", "~", ">", "|"}) {
    ExpectProblem(std::string(type) + "-1\r\n", "invalid number of elements: \"-1\"");
  }
  ExpectProblem("$3\r\nabcd\r\n", "a string does not end where its length says");
  ExpectProblem("$3\r\nabc\n\r", "a string does not end where its length says");
  ExpectProblem("$3\r\nabc\r\r", "a string does not end where its length says");
  ExpectProblem("=3\r\ntxt\r\n", "a verbatim string without a format");
  ExpectProblem("=5\r\nhello\r\n", "a verbatim string without a format");
}

TEST(ReplyParser, StreamedTypesAreRefused) {
  for (const char* input : {"$?\r\n", "!?\r\n", "=?\r\n", "*?\r\n", "%?\r\n", "~?\r\n", ">?\r\n", "|?\r\n",
                            ";4\r\n", ".\r\n", "*1\r\n.\r\n"}) {
    ExpectProblem(input, "streamed types are not supported");
  }
}

TEST(ReplyParser, ProblemsShowALittleOfTheInput) {
  ExpectProblem(":" + std::string(1000, 'x') + "\r\n", "invalid integer: \"" + std::string(64, 'x') + "\"");
}

TEST(ReplyParser, LimitOfStrings) {
  const Limits limits{.bulk_bytes = 5};
  for (const char* input :
       {"$5\r\nabcde\r\n", "!5\r\nabcde\r\n", "=5\r\ntxt:e\r\n", "+abcde\r\n", "-abcde\r\n", "(12345\r\n",
        "*2\r\n$5\r\nabcde\r\n$5\r\nabcde\r\n", ",1.2345678\r\n"}) {
    EXPECT_EQ(FeedRepliesWhole(input, limits).replies.size(), 1u) << input;
    EXPECT_EQ(FeedRepliesByteByByte(input, limits).replies.size(), 1u) << input;
  }
  ExpectProblem("$6\r\n", "a string is too long: \"6\"", limits);
  ExpectProblem("!6\r\n", "a string is too long: \"6\"", limits);
  ExpectProblem("=6\r\n", "a string is too long: \"6\"", limits);
  ExpectProblem("$18446744073709551615\r\n", "a string is too long: \"18446744073709551615\"");
  for (const char* input : {"+abcdef", "-abcdef", "(123456", "+abcdef\r\n", "+abcdef\n"}) {
    ExpectProblem(input, "a line is too long", limits);
  }
  // A line that is no text has a limit of its own.
  ExpectProblem(":" + std::string(1025, '1'), "a line is too long");
  ExpectProblem("$" + std::string(1025, '0'), "a line is too long");
  ExpectProblem("_" + std::string(1025, ' '), "a line is too long");
}

TEST(ReplyParser, LimitOfElements) {
  const Limits limits{.elements = 6};
  ExpectReplies("*6\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n%3\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n",
                {"[1 2 3 4 5 6]", "{1 2 3 4 5 6}"}, limits);
  ExpectReplies("*2\r\n*3\r\n:1\r\n:2\r\n:3\r\n~1\r\n:1\r\n", {"[[1 2 3] ~[1]]"}, limits);
  ExpectProblem("*7\r\n", "too many elements: \"7\"", limits);
  ExpectProblem("~7\r\n", "too many elements: \"7\"", limits);
  ExpectProblem(">7\r\n", "too many elements: \"7\"", limits);
  ExpectProblem("%4\r\n", "too many elements: \"4\"", limits);
  ExpectProblem("|4\r\n", "too many elements: \"4\"", limits);
  ExpectProblem("*3\r\n:1\r\n*1\r\n:1\r\n*3\r\n", "too many elements: \"3\"", limits);
  ExpectProblem("|2\r\n:1\r\n:2\r\n:3\r\n:4\r\n%2\r\n", "too many elements: \"2\"", limits);
  ExpectProblem("%9223372036854775808\r\n", "too many elements: \"9223372036854775808\"", kUnlimited);
}

TEST(ReplyParser, LimitOfDepth) {
  const Limits limits{.depth = 2};
  ExpectReplies("*1\r\n*1\r\n:1\r\n", {"[[1]]"}, limits);
  ExpectReplies("*3\r\n*0\r\n%0\r\n~1\r\n:1\r\n", {"[[] {} ~[1]]"}, limits);
  ExpectProblem("*1\r\n*1\r\n*1\r\n:1\r\n", "aggregates are nested too deeply", limits);
  ExpectProblem("*1\r\n%1\r\n:1\r\n*0\r\n", "aggregates are nested too deeply", limits);
  ExpectProblem("|1\r\n|1\r\n|1\r\n", "aggregates are nested too deeply", limits);
  ExpectProblem("*0\r\n", "aggregates are nested too deeply", {.depth = 0});
  std::string deep;
  for (int i = 0; i < 16; ++i) deep += "*1\r\n";
  ExpectReplies(deep + ":1\r\n", {"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"});
  ExpectProblem(deep + "*1\r\n", "aggregates are nested too deeply");
  // An attribute is over when the value that it belongs to begins.
  ExpectReplies("|1\r\n:1\r\n*0\r\n*1\r\n|0\r\n*1\r\n:1\r\n", {"[[1]]"}, limits);
}

TEST(ReplyParser, LimitOfAllBytes) {
  const Limits limits{.total_bytes = 20};
  ExpectReplies("$13\r\n1234567890123\r\n+12345678901234567\r\n",
                {"\"1234567890123\"", "+\"12345678901234567\""}, limits);
  ExpectReplies("*2\r\n$4\r\nabcd\r\n:123\r\n", {"[\"abcd\" 123]"}, limits);
  for (const char* input :
       {"$14\r\n", "+123456789012345678", "*3\r\n$4\r\nabcd\r\n:123\r\n:", "*2\r\n$4\r\nabcd\r\n:1234",
        "*2\r\n$4\r\nabcd\r\n$3\r\n", "|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|", "|1\r\n:1\r\n:123456\r\n:1\r\n",
        "*9\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n"}) {
    ExpectProblem(input, "the reply is too large", limits);
  }
  ExpectProblem("$9\r\nabc", "a string is too long: \"9\"", {.bulk_bytes = 8, .total_bytes = 8});
}

// Would end the process if it were allocated at once.
TEST(ReplyParser, AnnouncementsTakeNoMemory) {
  const std::string huge = std::to_string(uint64_t{1} << 62);
  ExpectCutOff("$" + huge + "\r\nabc", kUnlimited);
  ExpectCutOff("*" + huge + "\r\n:1\r\n~" + huge + "\r\n:1\r\n=" + huge + "\r\ntxt", kUnlimited);
  ExpectCutOff("|" + huge + "\r\n:1\r\n", kUnlimited);
}

// Takes very long if what is there is read again for each byte.
TEST(ReplyParser, WorkIsLinear) {
  constexpr size_t kBytes = 2 << 20;
  std::string elements;
  for (size_t i = 0; i < kBytes / 4; ++i) elements += ":7\r\n";
  for (const std::string& input :
       {"$" + std::to_string(kBytes) + "\r\n" + std::string(kBytes, '\r') + "\r\n",
        "+" + std::string(kBytes, 'a') + "\r\n", "*" + std::to_string(kBytes / 4) + "\r\n" + elements}) {
    ReplyParser parser;
    Reply reply;
    for (const char& byte : input) {
      ASSERT_EQ(parser.Next(reply), Outcome::kIncomplete);
      parser.Feed({&byte, 1});
    }
    ASSERT_EQ(parser.Next(reply), Outcome::kReply);
    EXPECT_EQ(reply.IsArray() ? reply.elements.size() : reply.text.size(),
              reply.IsArray() ? kBytes / 4 : kBytes);
  }
}

TEST(ReplyParser, DamageStaysUntilReset) {
  ReplyParser parser(Limits{.elements = 2});
  Reply reply;
  parser.Feed("*2\r\n:1\r\n?");
  EXPECT_EQ(parser.problem(), "");
  EXPECT_EQ(parser.buffered(), 9u);
  EXPECT_EQ(parser.Next(reply), Outcome::kDamaged);
  const std::string problem = "no type of reply begins with \"?\"";
  EXPECT_EQ(parser.problem(), problem);
  parser.Feed("+OK\r\n");
  EXPECT_EQ(parser.buffered(), 0u);
  EXPECT_EQ(parser.Next(reply), Outcome::kDamaged);
  EXPECT_EQ(parser.problem(), problem);

  parser.Reset();
  EXPECT_EQ(parser.problem(), "");
  EXPECT_EQ(parser.Next(reply), Outcome::kIncomplete);
  parser.Feed("*2\r\n:1\r\n:2\r\n*3\r\n");
  ASSERT_EQ(parser.Next(reply), Outcome::kReply);
  EXPECT_EQ(Described(reply), "[1 2]");
  EXPECT_EQ(parser.Next(reply), Outcome::kDamaged);  // the limits are still there
}

TEST(ReplyParser, ResetForgetsWhatWasCutOff) {
  for (const char* cut : {"*2\r\n:1\r\n", "$5\r\nab", "+O", "|1\r\n:1\r\n", "+OK\r\n"}) {
    ReplyParser parser;
    Reply reply;
    parser.Feed(cut);
    if (std::string_view(cut) != "+OK\r\n") {
      EXPECT_EQ(parser.Next(reply), Outcome::kIncomplete);
    }
    EXPECT_EQ(parser.buffered(), std::string_view(cut).size());
    parser.Reset();
    EXPECT_EQ(parser.buffered(), 0u);
    parser.Feed("$1\r\nx\r\n");
    ASSERT_EQ(parser.Next(reply), Outcome::kReply);
    EXPECT_EQ(Described(reply), "\"x\"");
  }
}

// Makes replies and their bytes, in all the ways that the specification allows.
class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  Reply MakeReply(int depth = 0) {
    Reply reply;
    // Aggregates stand last in the choice, and are not chosen deep down.
    constexpr Kind kKinds[] = {Kind::kSimple, Kind::kError,   Kind::kInteger,   Kind::kBulk,     Kind::kNull,
                               Kind::kDouble, Kind::kBoolean, Kind::kBigNumber, Kind::kVerbatim, Kind::kArray,
                               Kind::kMap,    Kind::kSet,     Kind::kPush};
    reply.kind = kKinds[random_.Uniform(depth < 4 ? std::size(kKinds) : 9)];
    if (reply.IsText() || reply.is_error()) reply.text = MakeText(reply.kind == Kind::kSimple);
    if (reply.kind == Kind::kBigNumber)
      reply.text = (random_.OneIn(2) ? "-" : "") + std::to_string(random_.Next());
    if (reply.kind == Kind::kInteger)
      reply.integer = static_cast<int64_t>(random_.Next() >> random_.Uniform(64));
    if (reply.kind == Kind::kBoolean) reply.integer = static_cast<int64_t>(random_.Uniform(2));
    if (reply.kind == Kind::kDouble) reply.number = MakeDouble();
    if (reply.kind >= Kind::kArray && reply.kind <= Kind::kPush) {
      size_t count = random_.Uniform(random_.OneIn(20) ? 100 : 5) * (reply.kind == Kind::kMap ? 2 : 1);
      while (count-- > 0) reply.elements.push_back(MakeReply(depth + 1));
    }
    return reply;
  }

  void Encode(const Reply& reply, std::string& out, int depth = 0) {
    if (depth < 4 && random_.OneIn(10)) EncodeAttribute(out, depth);
    switch (reply.kind) {
      case Kind::kSimple:
        return Line('+', reply.text, out);
      case Kind::kError:
        if (reply.text.find_first_of("\r\n") != std::string::npos || random_.OneIn(3)) {
          return Bulk('!', reply.text, out);
        }
        return Line('-', reply.text, out);
      case Kind::kInteger:
        return Line(':', (reply.integer >= 0 && random_.OneIn(3) ? "+" : "") + std::to_string(reply.integer),
                    out);
      case Kind::kBulk:
        return Bulk('$', reply.text, out);
      case Kind::kNull:
        out += random_.OneIn(3) ? "_\r\n" : random_.OneIn(2) ? "$-1\r\n" : "*-1\r\n";
        return;
      case Kind::kDouble:
        return Line(',', DoubleToString(reply.number), out);
      case Kind::kBoolean:
        return Line('#', reply.integer != 0 ? "t" : "f", out);
      case Kind::kBigNumber:
        return Line('(', reply.text, out);
      case Kind::kVerbatim:
        return Bulk('=', (random_.OneIn(2) ? "txt:" : "mkd:") + reply.text, out);
      case Kind::kArray:
        return Aggregate('*', reply, out, depth);
      case Kind::kMap:
        return Aggregate('%', reply, out, depth);
      case Kind::kSet:
        return Aggregate('~', reply, out, depth);
      case Kind::kPush:
        return Aggregate('>', reply, out, depth);
    }
  }

  Random& random() { return random_; }

 private:
  std::string MakeText(bool one_line) {
    std::string text;
    size_t size = random_.Uniform(random_.OneIn(20) ? 2000 : 12);
    while (size-- > 0) {
      const char byte =
          random_.OneIn(4) ? "\r\n:$*"[random_.Uniform(5)] : static_cast<char>(random_.Uniform(256));
      text += one_line && (byte == '\r' || byte == '\n') ? ' ' : byte;
    }
    return text;
  }

  double MakeDouble() {
    if (random_.OneIn(8)) return std::numeric_limits<double>::infinity() * (random_.OneIn(2) ? 1 : -1);
    return std::ldexp(random_.UniformDouble() - 0.5, static_cast<int>(random_.Uniform(200)) - 100);
  }

  static void Line(char type, const std::string& text, std::string& out) { out += type + text + "\r\n"; }

  static void Bulk(char type, const std::string& text, std::string& out) {
    Line(type, std::to_string(text.size()), out);
    out += text + "\r\n";
  }

  void Aggregate(char type, const Reply& reply, std::string& out, int depth) {
    Line(type, std::to_string(reply.elements.size() / (type == '%' ? 2 : 1)), out);
    for (const Reply& element : reply.elements) Encode(element, out, depth + 1);
  }

  void EncodeAttribute(std::string& out, int depth) {
    const size_t pairs = random_.Uniform(3);
    Line('|', std::to_string(pairs), out);
    for (size_t i = 0; i < 2 * pairs; ++i) Encode(MakeReply(depth + 1), out, depth + 1);
  }

  Random random_;
};

TEST(ReplyParser, RandomRepliesInRandomPieces) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Maker maker(seed);
    std::string input;
    ParsedReplies want;
    for (size_t i = maker.random().Uniform(10) + 1; i > 0; --i) {
      const Reply reply = maker.MakeReply();
      want.replies.push_back(Described(reply));
      maker.Encode(reply, input);
    }
    ASSERT_EQ(FeedRepliesWhole(input), want) << "seed " << seed;
    ASSERT_EQ(FeedRepliesByteByByte(input), want) << "seed " << seed;
    const size_t piece_max = 1 + maker.random().Uniform(maker.random().OneIn(2) ? 10 : 1000);
    const auto pieces = FeedReplies(input, {}, [&](size_t left) {
      return std::min<size_t>(left, 1 + maker.random().Uniform(piece_max));
    });
    ASSERT_EQ(pieces, want) << "seed " << seed;
  }
}

// One byte of good replies is another: any result is right if it is the same for every cut.
TEST(ReplyParser, RandomDamageIsTheSameForEveryCut) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    Maker maker(seed);
    Random& random = maker.random();
    std::string input;
    for (int i = 0; i < 3; ++i) maker.Encode(maker.MakeReply(), input);
    constexpr std::string_view kBytes = "\r\n0123456789-?+:$*%~|>=!(,#_x";
    for (size_t i = 1 + random.Uniform(3); i > 0; --i) {
      input[random.Uniform(input.size())] = kBytes[random.Uniform(kBytes.size())];
    }
    const Limits limits{.bulk_bytes = 1 + random.Uniform(2000),
                        .elements = 1 + random.Uniform(200),
                        .depth = static_cast<int>(random.Uniform(12)),
                        .total_bytes = 1 + random.Uniform(10000)};
    const ParsedReplies whole = FeedRepliesWhole(input, limits);
    ASSERT_EQ(FeedRepliesByteByByte(input, limits), whole) << "seed " << seed;
    const auto pieces = FeedReplies(
        input, limits, [&](size_t left) { return std::min<size_t>(left, 1 + random.Uniform(50)); });
    ASSERT_EQ(pieces, whole) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cinnabar::protocol
